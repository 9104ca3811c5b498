"""Terms in which no time or amount can be reckoned, or that nobody can mean, are refused as read.

Each range at both edges, by the terms file and by the document alike.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from transitpay.fares import terms as values
from transitpay.fares.calendars import CALENDARS
from transitpay.fares.document import document_of, read_document
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.term_ranges import MOST_MINOR, RANGES
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import FareFacts, read_terms_file
from transitpay.journeys.suspension import Suspension
from transitpay.money import CNY, HKD, Money
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.calendars import known_calendars

HEAD = 'network = "mtr"\ncurrency = "HKD"\n'
STEP = '[step]\nvalue = "0.10"\nsource = "s"\ngrade = "A"\n'
WHENCE = 'source = "s"\ngrade = "A"\n'
MTR = builtin_book().latest("mtr")


def told(text: str, head: str = HEAD + STEP) -> list[str]:
    """The problems of a terms file, or of its terms beside fares in HKD."""
    read = read_terms_file(SourceFile("t.toml", (head + text).encode()))
    if read.file is None:
        return [str(it) for it in read.problems]
    some = Money(400, HKD)
    made = read.file.terms(FareFacts(some, some, some))
    return [] if isinstance(made, Terms) else [str(it) for it in made]


def one(text: str, said: str, head: str = HEAD + STEP) -> None:
    assert told(text, head) == [f"t.toml {said}"]


def of_document(**terms: Any) -> list[str]:
    """The problems of MTR's document with some terms changed."""
    document = json.loads(document_of(MTR))
    document["terms"] |= terms
    read = read_document(SourceFile("d", json.dumps(document).encode()))
    return [f"{it.field}: {it.reason}" for it in read.problems]


def test_every_number_of_the_terms_has_a_range() -> None:
    """A new term that is a number needs a line in the table."""
    numbers = {
        (record, it.name)
        for record in vars(values).values()
        if dataclasses.is_dataclass(record) and isinstance(record, type)
        if record.__module__ in (values.__name__, Suspension.__module__)
        for it in dataclasses.fields(record)
        if str(it.type) in ("int", "int | None")
    }
    assert numbers == set(RANGES)
    assert {it.name for it in known_calendars()} == CALENDARS


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("ride_limit_minutes", 1, 1440),
        ("passback_minutes", 0, 1440),
        ("late_window_days", 1, 366),
        ("delayed_stay_hours", 1, 720),
        ("max_wait_hours", 0, 720),
    ],
)
def test_a_limit_stands_between_its_edges_in_files_and_documents(
    name: str, least: int, most: int
) -> None:
    def toml(value: int) -> str:
        return f"[{name}]\nvalue = {value}\n{WHENCE}"

    assert told(toml(least)) == told(toml(most)) == []
    for beyond in (least - 1, most + 1):
        reason = f"{beyond} is outside of {least} to {most}"
        one(toml(beyond), f"line 8, {name}.value: {reason}")
        assert f"terms.{name}: {reason}" in of_document(**{name: beyond})


@pytest.mark.parametrize("huge", ["99999999999", "9" * 30, "0x" + "F" * 9000])
def test_a_huge_number_is_one_problem(huge: str) -> None:
    (problem,) = told(f"[ride_limit_minutes]\nvalue = {huge}\n{WHENCE}")
    assert problem.startswith("t.toml line 8, ride_limit_minutes.value: ")
    assert problem.endswith("is outside of 1 to 1440") and len(problem) < 120


@pytest.mark.parametrize("value", ["0.00", "-0.10", "1000.10"])
def test_a_step_is_above_nothing(value: str) -> None:
    (problem,) = told("", HEAD + STEP.replace("0.10", value))
    assert problem.startswith("t.toml line 4, step.value: ")
    assert of_document(step_minor=0) == ["terms.step_minor: 0 is outside of 1 to 100000"]


TRANSFER = '[[transfers]]\nafter = ["kmb"]\nwithin_minutes = 90\noff = "0.40"\n' + WHENCE
MONTH = "[month_tiers]\ntiers = [{from = '80.00', percent = 80}, {from = '200.00', percent = 50}]\n"
CAP = '[[caps]]\nperiod = "day"\namount = "40.00"\nnetworks = ["mtr", "kmb"]\n' + WHENCE
DISCOUNT = (
    '[[code_discounts]]\nwallet = "alipay"\npercent = 95\nfirst_day = 2026-01-01\n'
    "last_day = 2026-12-31\n" + WHENCE
)
SAME = (
    '[[same_station]]\nup_to_minutes = 20\namount = "4.00"\ntext = "t"\n' + WHENCE
    + '[[same_station]]\namount = "10.00"\ntext = "t"\n' + WHENCE
)  # fmt: skip
TIERS = '[[tiers]]\nup_to = "3.00"\npercent = 80\n' + WHENCE + "[[tiers]]\npercent = 65\n" + WHENCE
LENGTH = (
    '[by_length]\nsteps = [{up_to_km = 16, fare = "2.00"}, {up_to_km = 20, fare = "3.00"}]\n'
    'long = {from_km = 20, fare = "2.00", first_km = 16, each_km = 5, more = "1.00",'
    ' highest = "10.00"}\n' + WHENCE
)
HABIT = "[habit]\ntimes = 5\ndays = 28\na_month = 3\n" + WHENCE
CLAIMS = "[claims]\na_month = 3\nwithin_days = 7\n" + WHENCE
SUSPENSION = "[[suspensions]]\nmore_than = 3\ndays = 30\nevasion = false\n" + WHENCE
BUSINESS = '[business_car]\ntimes = 2\nstops = ["1"]\n' + WHENCE
OVERSTAY = '[overstay]\nmode = "add"\namount = "66.00"\n' + WHENCE
CALENDAR = '[calendar]\nvalue = "hong-kong"\n' + WHENCE


@pytest.mark.parametrize(
    ("good", "part", "bad", "said"),
    [
        (TRANSFER, "= 90", "= 0", "line 9, transfers.0.within_minutes: 0 is outside of 1 to 1440"),
        (TRANSFER, "= 90", "= 1441",
         "line 9, transfers.0.within_minutes: 1441 is outside of 1 to 1440"),
        (TRANSFER, '"0.40"', '"0.45"', "line 10, transfers.0.off: HKD 0.45 is no multiple of"
         " HKD 0.10"),
        (TRANSFER, '["kmb"]', "[]",
         "line 8, transfers.0.after: is empty: a transfer follows a ride of some network"),
        (MONTH + WHENCE, "'80.00'", "'200.00'",
         "line 8, month_tiers.tiers.1: begins no later than the one before: tiers rise"),
        (MONTH + WHENCE, "'80.00'", "'300.00'",
         "line 8, month_tiers.tiers.1: begins no later than the one before: tiers rise"),
        (MONTH + WHENCE, "t = 80", "t = 180",
         "line 8, month_tiers.tiers.0.percent: 180 is outside of 0 to 100"),
        (CAP, '"mtr", ', "", "line 10, caps.0.networks: mtr is not among them, and it is a cap"
         " of it"),
        (CAP, '["mtr", "kmb"]', "[]",
         "line 10, caps.0.networks: mtr is not among them, and it is a cap of it"),
        (CAP, '"40.00"', '"40.05"', "line 9, caps.0.amount: HKD 40.05 is no multiple of HKD 0.10"),
        (CAP, '"40.00"', '"100000.10"',
         "line 9, caps.0.amount: HKD in minor units: 10000010 is outside of 0 to 10000000"),
        (DISCOUNT, "= 95", "= 150",
         "line 9, code_discounts.0.percent: 150 is outside of 0 to 100"),
        (DISCOUNT, "= 95", "= -1", "line 9, code_discounts.0.percent: -1 is outside of 0 to 100"),
        (DISCOUNT, "2026-12-31", "2025-12-31",
         "line 11, code_discounts.0.last_day: 2025-12-31 is before 2026-01-01"),
        (SAME, "= 20", "= -20",
         "line 8, same_station.0.up_to_minutes: -20 is outside of 1 to 10080"),
        (TIERS, '"3.00"', '"0.00"', "line 8, tiers.0.up_to: 0 is outside of 1 to 10000000"),
        (LENGTH, "km = 20, fare = \"3", "km = 16, fare = \"3",
         "line 8, by_length.steps.1: 16 does not follow 16: limits rise"),
        (LENGTH, "each_km = 5", "each_km = 0",
         "line 9, by_length.long.each_km: 0 is outside of 1 to 1000"),
        (LENGTH, "from_km = 20", "from_km = 19",
         "line 9, by_length.long.from_km: 19 is below the last step, 20"),
        (LENGTH, '"10.00"', '"1.00"',
         "line 9, by_length.long.highest: is below the fare of the first kilometres"),
        (HABIT, "times = 5", "times = 0", "line 8, habit.times: 0 is outside of 1 to 1000"),
        (HABIT, "days = 28", "days = 31", "line 9, habit.days: 31 is outside of 1 to 30"),
        (CLAIMS, "a_month = 3", "a_month = 0", "line 8, claims.a_month: 0 is outside of 1 to 1000"),
        (SUSPENSION, "days = 30", "days = 0",
         "line 9, suspensions.0.days: 0 is outside of 1 to 366"),
        (BUSINESS, "= 2", "= 0", "line 8, business_car.times: 0 is outside of 1 to 100"),
        (OVERSTAY, "66.00", "66.05",
         "line 9, overstay.amount: HKD 66.05 is no multiple of HKD 0.10"),
        (CALENDAR, "hong-kong", "hongkong",
         "line 8, calendar.value: 'hongkong' is none of hong-kong, mainland"),
        (CALENDAR, "hong-kong", "mars",
         "line 8, calendar.value: 'mars' is none of hong-kong, mainland"),
    ],
)  # fmt: skip
def test_terms_that_nobody_can_mean_are_one_problem_with_line_and_field(
    good: str, part: str, bad: str, said: str
) -> None:
    assert told(good) == []
    one(good.replace(part, bad, 1), said)


def test_tiers_and_limits_rise_and_the_last_is_open() -> None:
    higher = '[[tiers]]\nup_to = "6.00"\npercent = 75\n' + WHENCE
    assert told(TIERS.replace("[[tiers]]\npercent", higher + "[[tiers]]\npercent")) == []
    one(higher + TIERS, "line 12, tiers.1: 300 does not follow 600: limits rise")
    (open_first,) = told("[[tiers]]\npercent = 65\n" + WHENCE + TIERS)
    assert open_first == "t.toml line 7, tiers.0: without a limit stands the last alone"
    assert any("does not hold together" in it for it in told(higher))
    late = SAME.replace("= 20", "= 30")[: SAME.index("[[same", 5)] + SAME
    one(late, "line 13, same_station.1: 20 does not follow 30: limits rise")


def test_the_terms_have_the_currency_of_the_fares() -> None:
    made = told("", HEAD.replace("HKD", "CNY") + STEP)
    assert made == ["t.toml line 2, currency: CNY where the fares are in HKD"]
    read = read_terms_file(SourceFile("t.toml", (HEAD + STEP + OVERSTAY).encode()))
    assert read.file is not None
    assert not isinstance(read.file.terms(FareFacts(Money(1, CNY), Money(1, CNY))), Terms)


def test_a_document_is_held_to_the_same_rules() -> None:
    cap = {"period": "day", "amount": [4005, "HKD"], "networks": ["kmb"], "source": "s"}
    found = of_document(calendar="mars", caps=[cap])
    assert found == ["terms.calendar: 'mars' is none of hong-kong, mainland"]
    assert of_document(caps=[cap]) == [
        "terms.caps.0.amount: HKD 40.05 is no multiple of HKD 0.10",
        "terms.caps.0.networks: mtr is not among them, and it is a cap of it",
    ]
    tier = {"from_minor": 8000, "percent": -1}
    month = {"tiers": [tier], "source": "s"}
    said = "terms.month_tiers.tiers.0.percent: -1 is outside of 0 to 100"
    assert of_document(month_tiers=month) == [said]


@pytest.mark.parametrize(
    "fares",
    [
        {"kind": "flat", "by_route": {"1": MOST_MINOR + 1}},
        {"kind": "flat", "by_route": {}, "default": -1},
        {"kind": "flat", "by_route": {}, "by_boarding": [["1", "s", -1]]},
        {"kind": "flat", "by_route": {}, "by_section": [["1", "s", "t", 10**12]]},
        {"kind": "matrix", "unit": 10**9, "ids": ["1"], "rows": ["0"]},
        {"kind": "matrix", "unit": 10, "ids": ["1"], "rows": ["1000001"]},
        {"kind": "matrix", "unit": 10, "ids": ["1"], "rows": ["9" * 5000]},
    ],
)
def test_no_fare_of_a_document_is_below_nothing_or_out_of_reach(fares: object) -> None:
    document = json.loads(document_of(MTR)) | {"fares": fares}
    (problem,) = read_document(SourceFile("d", json.dumps(document).encode())).problems
    assert problem.field.startswith("fares.") and len(problem.reason) < 120


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "two words"),
        ("version", "line\n"),
        ("version", "-leading"),
        ("version", "a" * 201),
        ("network", "Mtr"),
        ("operator", "mtr "),
        ("valid_from", "0001-01-01"),
        ("valid_from", "1989-12-31"),
        ("valid_from", "2200-01-01"),
        ("valid_from", "9999-12-31"),
    ],
)
def test_a_version_has_a_printable_name_and_a_first_day_of_our_time(field: str, value: str) -> None:
    document = json.loads(document_of(MTR))
    read = read_document(SourceFile("d", json.dumps(document | {field: value}).encode()))
    assert [it.field for it in read.problems] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", "a" * 200), ("version", "A1._#+/@:=-"), ("valid_from", "1990-01-01"),
     ("valid_from", "2199-12-31")],
)  # fmt: skip
def test_names_and_days_at_the_edge_are_taken(field: str, value: str) -> None:
    document = json.loads(document_of(MTR)) | {field: value}
    assert read_document(SourceFile("d", json.dumps(document).encode())).problems == ()


def test_a_number_of_too_many_digits_is_a_problem_of_either_file() -> None:
    assert told("a = " + "9" * 6000) == ["t.toml, toml: a number of too many digits"]
    (problem,) = read_document(SourceFile("d", b'{"format":' + b"9" * 6000 + b"}")).problems
    assert str(problem) == "d line 1, json: a number of too many digits"


def test_a_file_with_any_name_makes_a_version_with_a_fit_one() -> None:
    made = [SourceFile(name, b"x").version.partition("#")[0] for name in
            ("fares 2027.csv", "票價.csv", "\x1b[1m.csv.gz", "a" * 300 + ".csv")]  # fmt: skip
    assert made == ["fares-2027", "file", "1m", "a" * 80]
