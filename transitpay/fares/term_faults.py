"""What is wrong in terms although each value alone could stand: orders, networks, days.

``faults`` is about one tariff alone, ``faults_beside`` about what it says of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import pairwise

from transitpay.fares.plain import Path
from transitpay.fares.tariff import Tariff
from transitpay.fares.term_ranges import misfits
from transitpay.fares.terms import LengthFares, Terms
from transitpay.money import Currency

Fault = tuple[Path, str]


def faults(terms: Terms, network: str, unit: Currency) -> list[Fault]:
    """Everything in the terms of ``network``, in ``unit``, that cannot be meant."""
    return [
        *misfits(terms, unit, terms.step_minor),
        *_rising(("same_station",), [it.up_to_minutes for it in terms.same_station]),
        *_rising(("tiers",), [it.up_to_minor for it in terms.tiers]),
        *_month(terms),
        *_discounts(terms),
        *_transfers(terms),
        *_caps(terms, network),
        *([] if terms.by_length is None else _lengths(terms.by_length)),
    ]


def faults_beside(
    tariff: Tariff, currencies: Mapping[str, Currency], wallets: Set[str]
) -> list[Fault]:
    """What a tariff says of networks and wallets that are not, or in another currency.

    ``currencies`` are those of all networks that have a tariff, ``wallets`` all that are known.
    """
    terms = tariff.terms
    found = faults_of_currency(tariff, currencies)
    found += [
        (at, f"no tariff of {name!r} is known")
        for at, name in _others(tariff)
        if name not in currencies
    ]
    named: list[tuple[Path, Set[str]]] = [(("wallets",), terms.wallets)]
    named += [(("code_discounts", i, "wallet"), frozenset({it.wallet}))
              for i, it in enumerate(terms.code_discounts)]  # fmt: skip
    named += [(("transfers", i, "wallets"), it.wallets) for i, it in enumerate(terms.transfers)]
    found += [
        (at, f"{name!r} is no wallet that is known")
        for at, names in named
        for name in sorted(names - wallets)
    ]
    return found


def faults_of_currency(tariff: Tariff, currencies: Mapping[str, Currency]) -> list[Fault]:
    """Networks that a tariff names, or its own, in another currency; unknown ones are not told."""
    own = currencies.get(tariff.network, tariff.currency)
    found: list[Fault] = []
    if own != tariff.currency:
        found.append((("currency",), f"{tariff.currency}, and {tariff.network} is in {own}"))
    for at, name in _others(tariff):
        unit = currencies.get(name, tariff.currency)
        if unit != tariff.currency:
            found.append((at, f"{name} is in {unit}, {tariff.network} in {tariff.currency}"))
    return found


def _others(tariff: Tariff) -> Iterator[tuple[Path, str]]:
    """Each other network that caps and transfers name."""
    terms = tariff.terms
    groups: list[tuple[Path, Set[str]]] = []
    groups += [(("caps", i, "networks"), it.networks) for i, it in enumerate(terms.caps)]
    groups += [(("transfers", i, "after"), it.after) for i, it in enumerate(terms.transfers)]
    for at, networks in groups:
        for name in sorted(networks - {tariff.network}):
            yield at, name


def _rising(at: Path, limits: Sequence[int | None]) -> Iterator[Fault]:
    """Limits rise, and the last is open, so that nothing is above it."""
    if limits and limits[-1] is not None:
        yield (*at, len(limits) - 1), "the last has no limit, so that something holds above it"
    before = 0
    for i, limit in enumerate(limits):
        if limit is None:
            if i + 1 < len(limits):
                yield (*at, i), "without a limit stands the last alone"
        elif limit <= before:
            yield (*at, i), f"{limit} does not follow {before}: limits rise"
        else:
            before = limit


def _month(terms: Terms) -> Iterator[Fault]:
    if terms.month_tiers is None:
        return
    at, tiers = ("month_tiers", "tiers"), terms.month_tiers.tiers
    if not tiers:
        yield at, "is empty"
    for i, (one, other) in enumerate(pairwise(tiers), 1):
        if other.from_minor <= one.from_minor:
            yield (*at, i), "begins no later than the one before: tiers rise"


def _discounts(terms: Terms) -> Iterator[Fault]:
    for i, it in enumerate(terms.code_discounts):
        if it.last_day < it.first_day:
            yield ("code_discounts", i, "last_day"), f"{it.last_day} is before {it.first_day}"


def _transfers(terms: Terms) -> Iterator[Fault]:
    for i, it in enumerate(terms.transfers):
        if not it.after:
            yield ("transfers", i, "after"), "is empty: a transfer follows a ride of some network"


def _caps(terms: Terms, network: str) -> Iterator[Fault]:
    for i, it in enumerate(terms.caps):
        if network not in it.networks:
            yield ("caps", i, "networks"), f"{network} is not among them, and it is a cap of it"


def _lengths(lengths: LengthFares) -> Iterator[Fault]:
    at: Path = ("by_length", "steps")
    limits = [it.up_to_km for it in lengths.steps]
    if not limits:
        yield at, "is empty"
    if lengths.long is None:
        yield from _rising(at, limits)
        return
    yield from _rising(at, limits if limits[-1:] == [None] else [*limits, None])
    long, last = ("by_length", "long"), max((it for it in limits if it is not None), default=0)
    if lengths.long.from_km < last:
        yield (*long, "from_km"), f"{lengths.long.from_km} is below the last step, {last}"
    if lengths.long.highest.minor < lengths.long.fare.minor:
        yield (*long, "highest"), "is below the fare of the first kilometres"


def spelled(at: Path, as_written: Callable[[str], str]) -> Path:
    """The place of a fault in the words of a file."""
    return tuple(as_written(it) if isinstance(it, str) else it for it in at)
