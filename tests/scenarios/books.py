"""The tariff books of the scenarios: the published one, and others for rules that need their own.

Where no network of the nine is known to have a rule, or only one that differs, a book here has it:
caps, other edges of months, holidays nobody knows, fares that change overnight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from transitpay.fares.route_length import fare_by_length
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff, TariffBook
from transitpay.fares.terms import Cap, CapPeriod, CodeDiscount, MonthTiers, Terms
from transitpay.money import HKD, Money
from transitpay.runtime.tariff_folder import load_book

_RAIL_AND_BUS = frozenset({"mtr", "kmb", "citybus"})


def scenario_books() -> Mapping[str, TariffBook]:
    """The books by the names that rows use."""
    return {
        "published": load_book(None),
        "sections": _with(_kmb_sections(), _shenzhen_sections()),
        "boarding-stops": _with(_kmb_by_boarding()),
        "weekdays": _with(_nlb_weekdays()),
        "lengths": _with(_foshan_by_length()),
        "mainland-days": _with(_mainland_days()),
        "edges-below": _with(_edges_below("guangzhou-bus"), _edges_below("foshan-bus")),
        "changes": _with(*_fares_change("mtr"), *_fares_change("kmb")),
        "day-cap": _capped(CapPeriod.DAY),
        "week-cap": _capped(CapPeriod.WEEK),
        "month-cap": _capped(CapPeriod.MONTH),
        "companions": _with(_terms_of("shenzhen-bus", companions_count=True)),
        "discount": _with(_discounted_mtr()),
    }


def _published(network: str) -> Tariff:
    return load_book(None).latest(network)


def _with(*tariffs: Tariff) -> TariffBook:
    """The published book, with these instead of all versions of their networks."""
    book = load_book(None)
    ours = {tariff.network for tariff in tariffs}
    others = [book.latest(network) for network in book.networks if network not in ours]
    return TariffBook([*others, *tariffs], book.calendars.values())


def _terms_of(network: str, **changes: object) -> Tariff:
    tariff = _published(network)
    terms: Terms = replace(tariff.terms, **changes)  # type: ignore[arg-type]  # any of its fields
    return replace(tariff, terms=terms)


def _flat(network: str, fares: FlatFares) -> Tariff:
    """A network with the published terms and these fares, since 2022."""
    routes = tuple(Stop(route, (route,)) for route in fares.by_route)
    return replace(
        _published(network), fares=fares, stops=routes, valid_from=date(2022, 2, 13), version="own"
    )


def _kmb_sections() -> Tariff:
    """Route 268C of 2022: 18.40 in full, 14.10 for the section."""
    sections = {("268C", "Long Ping", "Tai Lam"): 1410, ("268C", "Long Ping", "Kwun Tong"): 1840}
    return _flat("kmb", FlatFares({"268C": 1840, "1A": 820}, by_section=sections))


def _shenzhen_sections() -> Tariff:
    """A route of 5.00 in full whose first section is 2.00, beside one of 2.00 throughout."""
    sections = {("M500", "A", "B"): 200, ("M500", "A", "C"): 500}
    return _flat("shenzhen-bus", FlatFares({"M500": 500, "22": 200}, 200, by_section=sections))


def _kmb_by_boarding() -> Tariff:
    boarding = {("268C", "Long Ping"): 1840, ("268C", "Tai Lam"): 1410}
    return _flat("kmb", FlatFares({"268C": 1840}, by_boarding=boarding))


def _nlb_weekdays() -> Tariff:
    fares = FlatFares({"1": 1260, "38": 380}, holiday_by_route={"1": 2140})
    return _flat("nlb", fares)


def _foshan_by_length() -> Tariff:
    """Routes of Foshan that are named by their length in metres."""
    by_length = _published("foshan-bus").terms.by_length
    assert by_length is not None
    lengths = (17_000, 17_001, 30_000, 30_001, 44_999, 45_000)
    kilometres = {f"{metres} m": Decimal(metres) / 1000 for metres in lengths}
    fares = {name: fare_by_length(by_length, km).minor for name, km in kilometres.items()}
    return _flat("foshan-bus", FlatFares(fares))


def _mainland_days() -> Tariff:
    """A route of Zhongshan with a fare of its own on days off, which none is known to have."""
    tariff = _flat("zhongshan-bus", FlatFares({"001路": 200}, holiday_by_route={"001路": 300}))
    return replace(tariff, terms=replace(tariff.terms, calendar="mainland"))


def _edges_below(network: str) -> Tariff:
    """A spend of exactly the edge belongs to the tier below."""
    tariff = _published(network)
    tiers = tariff.terms.month_tiers
    assert tiers is not None
    below = MonthTiers(tuple(replace(it, including=False) for it in tiers.tiers), tiers.source)
    return _terms_of(network, month_tiers=below)


def _fares_change(network: str) -> tuple[Tariff, Tariff]:
    """On the service day of 6 October 2026 every fare rises by 1.00."""
    old = _published(network)
    fares: MatrixFares | FlatFares
    if isinstance(old.fares, FlatFares):
        fares = FlatFares({route: minor + 100 for route, minor in old.fares.by_route.items()})
    else:
        rows = tuple(tuple(minor + 100 for minor in row) for row in old.fares.rows)
        fares = MatrixFares(old.fares.ids, rows)
    return old, replace(old, fares=fares, version="dearer", valid_from=date(2026, 10, 6))


def _capped(period: CapPeriod) -> TariffBook:
    """At most 60.00 a period on MTR, KMB and Citybus together."""
    cap = Cap(period, Money(6000, HKD), _RAIL_AND_BUS, "a cap")
    return _with(*(_terms_of(network, caps=(cap,)) for network in _RAIL_AND_BUS))


def _discounted_mtr() -> Tariff:
    """MTR with a code discount of 95 %, which no operator of Hong Kong gives."""
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    return _terms_of(
        "mtr", code_discounts=(CodeDiscount("alipayhk", 95, first, last, "a discount"),)
    )
