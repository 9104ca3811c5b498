"""Two-way sectional fares of the sandbox's Hong Kong buses: a version of its own for the first day.

Operators publish which part of a full fare is given back to a rider who scans again on alighting,
but no file of it is at hand. So the sandbox has one section on each of its routes, at three
quarters of the full fare (KMB's 268C: 14.10 of 18.40), recorded as any new version is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from transitpay.fares.tariff import FlatFares, Tariff, TariffBook
from transitpay.money import Money, Rounding, scale

_PART = Decimal("0.75")


def section_end(route: str) -> str:
    """The id of the stop where the section of a route ends."""
    return f"{route}, end of section"


def section_tariffs(
    book: TariffBook, routes: Mapping[str, tuple[str, ...]], day: date
) -> list[Tariff]:
    """A version of each of these networks that begins on ``day`` and has sections on ``routes``."""
    return [_with_sections(book.tariff(network, day), of, day) for network, of in routes.items()]


def with_versions(book: TariffBook, tariffs: Iterable[Tariff]) -> TariffBook:
    """The book with these versions too."""
    known = [it for network in book.networks for it in book.versions(network)]
    return TariffBook([*known, *tariffs], book.calendars.values())


def _with_sections(tariff: Tariff, routes: tuple[str, ...], day: date) -> Tariff:
    fares = tariff.fares
    assert isinstance(fares, FlatFares), "buses have sections"
    sections = {}
    for text in routes:
        route = tariff.find_stop(text, field="route")
        full = Money(fares.by_route[route.id], tariff.currency)
        step = tariff.terms.step_minor
        part, _ = scale(full, _PART, mode=Rounding.DOWN, step_minor=step)
        sections[route.id, route.id, section_end(route.id)] = part.minor
    return replace(
        tariff,
        version=f"sandbox-{tariff.network}-{day}",
        valid_from=day,
        source=f"{tariff.source}; sections invented for the sandbox",
        fares=replace(fares, by_section=sections),
    )
