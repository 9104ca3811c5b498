"""GTFS feeds with Fares v2 read into tariffs.

Source: the GTFS Schedule reference of 2026 (gtfs.org), as a file each: what fits our tariffs is
loaded, what does not is a named problem, or left out with its name where the fares stand without.
"""

from transitpay.fares.tariff_files.gtfs.choice import GtfsChoice
from transitpay.fares.tariff_files.gtfs.tariff import read_gtfs

__all__ = ["GtfsChoice", "read_gtfs"]
