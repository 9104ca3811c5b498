"""Feeds for the tests of GTFS: a metro by areas, buses of two networks, and how they are read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import date

from transitpay.fares.tariff import FlatFares, Tariff
from transitpay.fares.tariff_files import Parsed, SourceFile
from transitpay.fares.tariff_files.gtfs import GtfsChoice, read_gtfs
from transitpay.fares.terms_file import TermsFile, read_terms_file

DAY = date(2026, 1, 1)
STEP = '\n[step]\nvalue = "0.01"\nsource = "its fares"\ngrade = "D"\n'
CALENDAR = '\n[calendar]\nvalue = "hong-kong"\nsource = "its fares"\ngrade = "D"\n'

#: A metro of three stations in two zones, its single ride by zones, a day pass and children.
METRO: Mapping[str, str] = {
    "agency.txt": "agency_id,agency_name\na,Metro\n",
    "stops.txt": """stop_id,stop_name,stop_code,location_type,parent_station
s1,Old Harbour,OHB,1,
s1a,Old Harbour platform 1,,0,s1
s2,Market,,,
s3,University,,,
e1,Exit A,,2,s1
""",
    "routes.txt": "route_id,agency_id,route_short_name,network_id\nm1,a,M1,metro\nm2,a,M2,metro\n",
    "areas.txt": "area_id\ninner\nouter\n",
    "stop_areas.txt": "area_id,stop_id\ninner,s1\ninner,s2\nouter,s3\n",
    "rider_categories.txt": ("rider_category_id,is_default_fare_category\nadult,1\nchild,\n"),
    "fare_media.txt": "fare_media_id,fare_media_name,fare_media_type\ncode,Ride code,4\ncash,,0\n",
    "fare_products.txt": """fare_product_id,rider_category_id,fare_media_id,amount,currency
one,adult,,2.00,CNY
one,child,,1.00,CNY
two,,code,3.50,CNY
two,,cash,4.00,CNY
pass,adult,,15.00,CNY
""",
    "fare_leg_rules.txt": """leg_group_id,network_id,from_area_id,to_area_id,fare_product_id
g,metro,inner,inner,one
g,metro,outer,outer,one
g,metro,inner,outer,two
g,metro,outer,inner,two
""",
}
#: Buses of two networks with a fare each, and transfers between them.
BUSES: Mapping[str, str] = {
    "stops.txt": "stop_id,stop_name\nb1,Pier\nb2,Bridge\n",
    "routes.txt": """route_id,route_short_name,route_long_name
r1,1,Pier - Hill
r2,2,Pier - Bridge
x1,X1,Pier - Airport
""",
    "networks.txt": "network_id\ncity\nexpress\n",
    "route_networks.txt": "network_id,route_id\ncity,r1\ncity,r2\nexpress,x1\n",
    "fare_products.txt": """fare_product_id,amount,currency
city,2.00,CNY
express,12.00,CNY
less,-0.40,CNY
""",
    "fare_leg_rules.txt": """leg_group_id,network_id,fare_product_id
c,city,city
e,express,express
""",
}
TRANSFERS = (
    "from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,"
    "fare_transfer_type,fare_product_id\n"
)


def terms(network: str = "metro", more: str = STEP) -> TermsFile:
    text = f'network = "{network}"\ncurrency = "CNY"\n{more}'
    read = read_terms_file(SourceFile("terms.toml", text.encode()))
    assert read.file is not None, [str(problem) for problem in read.problems]
    return read.file


def read(
    feed: Mapping[str, str],
    choice: GtfsChoice | None = None,
    *,
    of: TermsFile | None = None,
    **change: str,
) -> Parsed:
    """The feed with some files changed; a file ``x.txt`` is given as ``x``."""
    texts = {**feed, **{f"{name}.txt": text for name, text in change.items()}}
    files = {name: SourceFile(name, text.encode()) for name, text in texts.items() if text}
    return read_gtfs(files, DAY, of or terms(), choice)


CODE = GtfsChoice(media="code")
ALL = GtfsChoice()


def loaded(parsed: Parsed) -> Tariff:
    assert parsed.tariff is not None, [str(problem) for problem in parsed.problems]
    return parsed.tariff


def flat(parsed: Parsed) -> FlatFares:
    fares = loaded(parsed).fares
    assert isinstance(fares, FlatFares)
    return fares


def problems(parsed: Parsed) -> list[str]:
    assert parsed.tariff is None, "nothing is half loaded"
    return [str(problem) for problem in parsed.problems]


def zipped(files: Mapping[str, str]) -> SourceFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return SourceFile("feed.zip", content.getvalue())
