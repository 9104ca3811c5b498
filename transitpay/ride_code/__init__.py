"""Ride codes: 200 bytes that a phone signs offline and that any reader can judge offline."""
