"""A small network that needs no files: a few stations and routes with their published fares.

The ids are those of the operators' own files, so that a rider, a reader and a journey mean the
same with and without them. Triangles hold one row a station: the fares to the stations above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transitpay.fares.names import simplified
from transitpay.fares.published import (
    GUANGDONG_BUS_SINCE,
    HK_BUS_SINCE,
    MTR_ADULT_FARES_SINCE,
    SHENZHEN_SINCE,
)
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.fares.tariff_files.hk_bus import WEEKDAY_UNKNOWN
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import FareFacts, TermsFile, facts_of
from transitpay.money import CNY, HKD, Currency, Money, parse_major


def _mtr_stop(number: str, en: str, zh_hant: str, code: str) -> Stop:
    zh_hans = simplified(zh_hant)
    names = tuple(dict.fromkeys((en, zh_hant, zh_hans, code)))
    return Stop(number, names, en, zh_hant, zh_hans)


def _shenzhen_stop(code: str, zh_hans: str, en: str, *others: str) -> Stop:
    return Stop(code, (zh_hans, en, *others), en=en, zh_hans=zh_hans)


_MTR_STOPS = (
    _mtr_stop("1", "Central", "中環", "CEN"),
    _mtr_stop("2", "Admiralty", "金鐘", "ADM"),
    _mtr_stop("3", "Tsim Sha Tsui", "尖沙咀", "TST"),
    _mtr_stop("6", "Mong Kok", "旺角", "MOK"),
    _mtr_stop("8", "Kowloon Tong", "九龍塘", "KOT"),
    _mtr_stop("64", "Hung Hom", "紅磡", "HUH"),
    _mtr_stop("68", "Sha Tin", "沙田", "SHT"),
    _mtr_stop("72", "Tai Po Market", "大埔墟", "TAP"),
    _mtr_stop("74", "Fanling", "粉嶺", "FAN"),
    _mtr_stop("75", "Sheung Shui", "上水", "SHS"),
    _mtr_stop("76", "Lo Wu", "羅湖", "LOW"),
    _mtr_stop("78", "Lok Ma Chau", "落馬洲", "LMC"),
)
_MTR_FARES = """
4.90
10.60 10.60
13.20 13.20 5.90
13.20 13.20 7.40 5.90
12.60 12.60 4.70 5.90 4.00
17.10 17.10 10.10 9.60 6.70 6.70
19.90 19.90 13.40 12.80 9.90 10.00 6.50
22.20 22.20 14.90 13.60 11.10 11.20 7.70 4.60
22.20 22.20 14.90 13.60 11.10 11.20 7.70 4.60 4.00
52.20 52.20 44.30 45.40 41.50 41.60 33.00 28.80 26.50 26.50
52.20 52.20 44.30 45.40 41.50 41.60 33.00 28.80 26.50 26.50 26.50
"""
_SHENZHEN_STOPS = (
    _shenzhen_stop("0101", "罗湖", "Luohu", "0101", "1号线:1"),
    _shenzhen_stop("0102", "国贸", "Guomao", "0102", "1号线:2"),
    _shenzhen_stop("0103", "老街", "Laojie", "0103", "0311", "1号线:3", "3号线:11"),
    _shenzhen_stop(
        "0108", "会展中心", "Convention & Exhibition Center", "0108", "0403", "1号线:8", "4号线:3"
    ),
    _shenzhen_stop(
        "0111",
        "车公庙",
        "Chegongmiao",
        "0111",
        "0712",
        "0915",
        "1106",
        "1号线:11",
        "7号线:12",
        "9号线:15",
        "11号线:6",
    ),
    _shenzhen_stop(
        "0115", "世界之窗", "Window of the World", "0115", "0212", "1号线:15", "2号线:12"
    ),
    _shenzhen_stop(
        "0221", "福田", "Futian", "0221", "0305", "1105", "2号线:21", "3号线:5", "11号线:5"
    ),
    _shenzhen_stop("0230", "莲塘口岸", "Liantang Checkpoint", "0230", "2号线:30"),
    _shenzhen_stop("0401", "福田口岸", "Futian Checkpoint", "0401", "1001", "4号线:1", "10号线:1"),
    _shenzhen_stop(
        "0410",
        "深圳北站",
        "Shenzhen North Station",
        "0410",
        "0521",
        "0608",
        "4号线:10",
        "5号线:21",
        "6号线:8",
    ),
    _shenzhen_stop("1113", "机场", "Airport", "1113", "11号线:13"),
)
_SHENZHEN_FARES = """
2
2 2
3 3 3
4 4 4 2
5 5 5 3 3
4 3 3 2 2 4
3 3 3 4 5 6 4
4 3 3 2 3 4 2 4
5 5 5 4 5 5 4 6 4
8 8 8 7 7 6 7 9 8 8
"""
_KMB_ROUTES = {
    "B1": ("15.30", "Tin Tsz - Lok Ma Chau Station (Futian)"),
    "N73": ("22.60", "Sha Tin Central - Lok Ma Chau"),
    "276B": ("10.50", "Tin Fu - Sheung Shui (Choi Yuen)"),
    "1A": ("8.20", "Sau Mau Ping (Central) - Star Ferry"),
    "6": ("5.80", "Star Ferry - Lai Chi Kok"),
    "960": ("24.00", "Tuen Mun (Kin Sang Estate) - Exhibition Centre Station"),
    "118": ("12.90", "Chai Wan (Greenwood Terrace) - Cheung Sha Wan (Sham Mong Road)"),
}
_CITYBUS_ROUTES = {
    "B3": ("16.50", "Tuen Mun Pier Head - Shenzhen Bay Port"),
    "B3X": ("16.50", "Tuen Mun Town Centre - Shenzhen Bay Port"),
    "B7": ("11.30", "Sheung Shui (Po Wan Road) - Heung Yuen Wai Port"),
    "B8": ("18.10", "Tai Wai Station - Heung Yuen Wai Boundary Control Point"),
    "6": ("11.40", "Central (Exchange Square) - Stanley Market"),
    "969": ("27.30", "Tin Shui Wai Town Center - Causeway Bay (Moreton Terrace)"),
    "118": ("12.90", "Chai Wan (Greenwood Terrace) - Cheung Sha Wan (Sham Mong Road)"),
}
#: Route fares that every recorded boarding of 31 August and 1 September 2018 agrees with.
_SHENZHEN_BUS_ROUTES = {
    "22路": ("2.00", "22"),
    "74路": ("2.50", "74"),
    "81路": ("2.50", "81"),
    "104路": ("2.50", "104"),
    "307路": ("2.00", "307"),
    "B689": ("1.00", "B689路"),
    "M462": ("3.00", "M462路"),
    "M506": ("2.00", "M506路"),
}
#: Fares of Sundays and general holidays; those of weekdays are not known.
_NLB_ROUTES = {
    "1": ("21.40", "Mui Wo Ferry Pier - Tai O"),
    "2": ("37.00", "Mui Wo Ferry Pier - Ngong Ping"),
    "B2": ("15.80", "Yuen Long Station - Shenzhen Bay Port"),
    "B2P": ("11.30", "Tin Shui Wai (Tin Tsz Estate) - Shenzhen Bay Port"),
}
#: Routes at the default fare, so that there is something to ride on.
_GUANGDONG_ROUTES = {
    "guangzhou-bus": ("1路", "B1"),
    "foshan-bus": ("101路", "105路"),
    "zhongshan-bus": ("001路", "002路"),
}


def builtin_tariffs(terms: Mapping[str, TermsFile]) -> tuple[Tariff, ...]:
    """One version for each of the nine networks, beside the published ``terms`` by network."""
    return (
        _mtr(terms["mtr"]),
        _hk_bus("kmb", _KMB_ROUTES, terms["kmb"]),
        _hk_bus("citybus", _CITYBUS_ROUTES, terms["citybus"]),
        _hk_bus("nlb", _NLB_ROUTES, terms["nlb"]),
        _shenzhen_metro(terms["shenzhen-metro"]),
        _shenzhen_bus(terms["shenzhen-bus"]),
        *(_guangdong_bus(network, terms[network]) for network in _GUANGDONG_ROUTES),
    )


def _beside(file: TermsFile, facts: FareFacts) -> Terms:
    """Our own terms beside our own fares, of which ``facts`` hold for the whole network."""
    made = file.terms(facts)
    assert isinstance(made, Terms), made
    return made


def _mtr(terms: TermsFile) -> Tariff:
    lowest, highest, single, border = (Money(it, HKD) for it in (400, 6080, 6600, 2650))
    return Tariff(
        network="mtr",
        operator="mtr",
        currency=HKD,
        version=f"builtin-mtr-{MTR_ADULT_FARES_SINCE}",
        valid_from=MTR_ADULT_FARES_SINCE,
        source="MTR Corporation, adult Octopus fares of 12 stations",
        stops=_MTR_STOPS,
        fares=_triangle(_MTR_STOPS, _MTR_FARES, HKD),
        terms=_beside(terms, FareFacts(lowest, highest, single, {"76": border, "78": border})),
    )


def _shenzhen_metro(terms: TermsFile) -> Tariff:
    return Tariff(
        network="shenzhen-metro",
        operator="shenzhen-metro",
        currency=CNY,
        version=f"builtin-shenzhen-metro-{SHENZHEN_SINCE}",
        valid_from=SHENZHEN_SINCE,
        source="Shenzhen Metro Group, ordinary fares of 11 stations",
        stops=_SHENZHEN_STOPS,
        fares=_triangle(_SHENZHEN_STOPS, _SHENZHEN_FARES, CNY),
        terms=_beside(terms, FareFacts(Money(200, CNY), Money(1500, CNY))),
    )


def _hk_bus(network: str, routes: Mapping[str, tuple[str, str]], terms: TermsFile) -> Tariff:
    made = _beside(terms, facts_of(fares := _flat(routes, HKD), HKD))
    if made.calendar is not None:
        fares = replace(fares, holiday_by_route=fares.by_route)
        made = replace(made, unknown=(*made.unknown, WEEKDAY_UNKNOWN))
    return Tariff(
        network=network,
        operator=network,
        currency=HKD,
        version=f"builtin-{network}-{HK_BUS_SINCE}",
        valid_from=HK_BUS_SINCE,
        source=f"Transport Department, full adult fares of {len(routes)} routes",
        stops=tuple(Stop(n, (n, f"{n} {where}")) for n, (_, where) in routes.items()),
        fares=fares,
        terms=made,
    )


def _shenzhen_bus(terms: TermsFile) -> Tariff:
    routes = _SHENZHEN_BUS_ROUTES
    fares = _flat(routes, CNY, default=terms.likely.default_fare)
    return Tariff(
        network="shenzhen-bus",
        operator="shenzhen-bus",
        currency=CNY,
        version=f"builtin-shenzhen-bus-{SHENZHEN_SINCE}",
        valid_from=SHENZHEN_SINCE,
        source="recorded boardings of 2018; other routes at the default fare",
        stops=tuple(Stop(route, (route, other)) for route, (_, other) in routes.items()),
        fares=fares,
        terms=_beside(terms, facts_of(fares, CNY)),
    )


def _guangdong_bus(network: str, terms: TermsFile) -> Tariff:
    usual = terms.likely.default_fare
    assert usual is not None, f"{network} has a fare for every route"
    fares = FlatFares(dict.fromkeys(_GUANGDONG_ROUTES[network], usual.minor), usual.minor)
    return Tariff(
        network=network,
        operator=network,
        currency=CNY,
        version=f"builtin-{network}-{GUANGDONG_BUS_SINCE}",
        valid_from=GUANGDONG_BUS_SINCE,
        source="the usual fare, as pages tell it; the reader knows which routes cost another",
        stops=tuple(Stop(route, (route,)) for route in fares.by_route),
        fares=fares,
        terms=_beside(terms, facts_of(fares, CNY)),
    )


def _flat(
    routes: Mapping[str, tuple[str, str]], unit: Currency, default: Money | None = None
) -> FlatFares:
    fares = {route: parse_major(fare, unit).minor for route, (fare, _) in routes.items()}
    return FlatFares(fares, None if default is None else default.minor)


def _triangle(stops: Sequence[Stop], text: str, unit: Currency) -> MatrixFares:
    lower = [[parse_major(fare, unit).minor for fare in row.split()] for row in text.split("\n")]
    lower = [[], *(row for row in lower if row)]
    assert [len(row) for row in lower] == list(range(len(stops))), "one fare to each stop above"
    size = range(len(stops))
    rows = tuple(tuple(0 if i == j else lower[max(i, j)][min(i, j)] for j in size) for i in size)
    return MatrixFares(tuple(stop.id for stop in stops), rows)
