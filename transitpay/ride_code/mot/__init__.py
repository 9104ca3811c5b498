"""The ride code of the Ministry of Transport (0x80 interoperable, 0x81 local): SM2 with SM3."""
