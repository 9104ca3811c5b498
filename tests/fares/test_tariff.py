"""Versions by service day, stops by any of their names, and services that take no ride code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.calendars import HolidayCalendar
from transitpay.fares.names import fold
from transitpay.fares.tariff import (
    EXCLUDED,
    FlatFares,
    Stop,
    Tariff,
    TariffBook,
    TariffKind,
)
from transitpay.fares.terms import Terms
from transitpay.money import HKD, Money
from transitpay.runtime.builtin import builtin_book

BOOK = builtin_book()


def tariff(version: str, first: date) -> Tariff:
    return Tariff(
        network="kmb",
        operator="kmb",
        currency=HKD,
        version=version,
        valid_from=first,
        source="test",
        stops=(
            Stop("1", ("1",)),
            Stop("71", ("9 North", "9")),
            Stop("72", ("9 South", "9")),
        ),
        fares=FlatFares({"1": 100, "71": 200, "72": 300}),
        terms=Terms(step_minor=10),
    )


def test_the_version_of_a_day_is_the_last_that_has_begun() -> None:
    book = TariffBook([tariff("new", date(2026, 3, 1)), tariff("old", date(2025, 1, 1))])
    assert book.tariff("kmb", date(2025, 1, 1)).version == "old"
    assert book.tariff("kmb", date(2026, 2, 28)).version == "old"
    assert book.tariff("kmb", date(2026, 3, 1)).version == "new"
    assert book.latest("kmb").version == "new"


def test_a_day_before_the_first_version_has_no_tariff_and_says_when_the_first_begins() -> None:
    with pytest.raises(RuleViolation, match="first is in force from 2024-06-30") as refusal:
        BOOK.tariff("mtr", date(2024, 6, 29))
    assert refusal.value.code == "no_tariff"


def test_two_versions_cannot_begin_on_one_day() -> None:
    with pytest.raises(MalformedInput, match="a and b both begin on 2026-03-01"):
        TariffBook([tariff("a", date(2026, 3, 1)), tariff("b", date(2026, 3, 1))])


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_versions_that_begin_on_one_day_the_later_recorded_counts(turned: bool) -> None:
    day, at = date(2026, 3, 1), datetime(2026, 2, 1, tzinfo=UTC)
    built_in = tariff("built in", day)
    first = replace(tariff("first", day), recorded_at=at)
    second = replace(tariff("second", day), recorded_at=at + timedelta(microseconds=1))
    several = [built_in, first, second]
    for known, counts in ((several[:2], "first"), (several[1:], "second"), (several, "second")):
        book = TariffBook(reversed(known) if turned else known)
        assert [it.version for it in book.versions("kmb")] == [counts]
    with pytest.raises(MalformedInput, match="both begin on 2026-03-01"):
        TariffBook([first, replace(second, recorded_at=at)])


def test_a_book_carries_calendars_that_know_what_they_do_not_know() -> None:
    known = HolidayCalendar("hk", date(2026, 1, 1), date(2026, 12, 31), {date(2026, 4, 3): "Good"})
    book = TariffBook([], [known])
    assert book.calendars == {"hk": known}
    assert known.holiday(date(2026, 4, 3)) == "Good"
    assert known.holiday(date(2026, 4, 2)) is None
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1))
    assert [known.knows(day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize("network", sorted(EXCLUDED))
def test_excluded_services_are_refused_in_words(network: str) -> None:
    with pytest.raises(RuleViolation, match="not accept the ride code") as refusal:
        BOOK.tariff(network, date(2026, 10, 1))
    assert refusal.value.code == "service_excluded"


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MalformedInput, match="citybus, foshan-bus, guangzhou-bus, kmb"):
        BOOK.tariff("tram", date(2026, 10, 1))


@pytest.mark.parametrize(
    ("network", "text", "stop"),
    [
        ("mtr", "78", "78"),
        ("mtr", "078", "78"),
        ("shenzhen-metro", "深圳北站站", "0410"),
        ("shenzhen-metro", "Shenzhen North Station Station", "0410"),
        ("mtr", "Lok Ma Chau MTR Station", "78"),
        ("mtr", "LMC", "78"),
        ("mtr", "lok ma chau", "78"),
        ("mtr", " Lok Ma Chau Station ", "78"),
        ("mtr", "落馬洲", "78"),
        ("mtr", "落马洲站", "78"),
        ("shenzhen-metro", "罗湖", "0101"),
        ("shenzhen-metro", "羅湖站", "0101"),
        ("shenzhen-metro", "luohu", "0101"),
        ("shenzhen-metro", "0311", "0103"),
        ("shenzhen-metro", "311", "0103"),
        ("shenzhen-metro", "3号线:11", "0103"),
        ("shenzhen-metro", "深圳北", "0410"),
        ("shenzhen-metro", "Convention and Exhibition Center", "0108"),
        ("shenzhen-metro", "Exhibition Center Hall", None),
        ("shenzhen-metro", "convention & exhibition center", "0108"),
        ("kmb", "b1", "B1"),
        ("shenzhen-bus", "74", "74路"),
    ],
)
def test_a_stop_is_found_by_id_name_or_code(network: str, text: str, stop: str | None) -> None:
    if stop is None:
        with pytest.raises(MalformedInput, match="nearest: 会展中心"):
            BOOK.find_stop(network, text)
    else:
        assert BOOK.find_stop(network, text).id == stop


@pytest.mark.parametrize("text", ["Atlantis", "", "  ", "站"])
def test_an_unknown_station_is_one_clear_line(text: str) -> None:
    with pytest.raises(MalformedInput, match="is no station of mtr") as refusal:
        BOOK.find_stop("mtr", text, field="--from")
    assert refusal.value.code == "unknown_stop"
    assert str(refusal.value).startswith("--from: ")
    assert "\n" not in str(refusal.value)


def test_a_near_miss_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(MalformedInput, match=r"nearest: Admiralty \(2\)"):
        BOOK.find_stop("mtr", "Admirality")


def test_an_ambiguous_route_is_refused_with_every_candidate_and_its_fare() -> None:
    with pytest.raises(MalformedInput) as refusal:
        TariffBook([tariff("v", date(2026, 1, 1))]).find_stop("kmb", "9")
    assert refusal.value.code == "ambiguous_stop"
    assert "71 (9 North, HKD 2.00); 72 (9 South, HKD 3.00)" in str(refusal.value)


def test_a_route_without_a_fare_of_its_own_is_unknown_unless_there_is_a_default() -> None:
    with pytest.raises(MalformedInput, match="is no route of kmb"):
        BOOK.find_stop("kmb", "X999")
    assert BOOK.find_stop("shenzhen-bus", "X999") == Stop("X999", ("X999",))


def test_names_fold_to_one_form() -> None:
    assert fold("East Tsim Sha Tsui") == fold("east-tsim sha  tsui station") == "easttsimshatsui"
    assert fold("金鐘站") == fold("金钟") == "金钟"
    assert fold("站") == "站"


def test_a_matrix_needs_both_stations_and_never_reads_its_diagonal() -> None:
    mtr = BOOK.latest("mtr")
    admiralty, sheung_shui = mtr.find_stop("ADM"), mtr.find_stop("SHS")
    assert mtr.kind is TariffKind.MATRIX
    assert mtr.plain_fare(admiralty, sheung_shui) == Money(2220, HKD)
    with pytest.raises(MalformedInput, match="needs both stations"):
        mtr.plain_fare(admiralty)
    with pytest.raises(AssertionError, match="diagonal"):
        mtr.plain_fare(admiralty, admiralty)
