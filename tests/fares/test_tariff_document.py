"""A tariff and its document say the same, to the last byte."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given

from tests.fares.tariff_strategies import tariffs
from transitpay.errors import MalformedInput
from transitpay.fares.document import (
    document_of,
    read_document,
    sha256_of,
    tariff_of,
)
from transitpay.fares.tariff import FlatFares, MatrixFares, Tariff
from transitpay.fares.tariff_files import SourceFile
from transitpay.runtime.builtin import builtin_book

MTR = builtin_book().latest("mtr")


def values(tariff: Tariff) -> dict[str, object]:
    """Everything that a tariff was made of, its fares too."""
    made = {it.name: getattr(tariff, it.name) for it in dataclasses.fields(tariff) if it.init}
    fares = tariff.fares
    made["fares"] = {it.name: getattr(fares, it.name) for it in dataclasses.fields(fares)}
    return made


@given(tariffs())
def test_a_tariff_is_exactly_what_its_document_says(tariff: Tariff) -> None:
    document = document_of(tariff)
    again = tariff_of(document, tariff.recorded_at)
    assert values(again) == values(tariff)
    assert document_of(again) == document


def test_equal_tariffs_have_equal_bytes_whatever_order_their_tables_were_made_in() -> None:
    one = builtin_book().latest("kmb")
    assert isinstance(one.fares, FlatFares)
    turned = dict(reversed(one.fares.by_route.items()))
    other = dataclasses.replace(one, fares=FlatFares(turned))
    assert document_of(one) == document_of(other)
    assert sha256_of(document_of(one)) == sha256_of(document_of(other))
    late = dataclasses.replace(one, recorded_at=datetime(2026, 11, 1, tzinfo=UTC))
    assert document_of(one) == document_of(late), "when it was recorded stands beside it"
    assert document_of(one) != document_of(dataclasses.replace(one, valid_from=date(2026, 12, 1)))


def test_stops_with_equal_rows_share_one_in_the_document() -> None:
    rows = ((0, 400, 900), (0, 400, 900), (900, 900, 0))
    fares = MatrixFares(("a", "b", "c"), rows)
    stops = tuple(dataclasses.replace(MTR.stops[0], id=name) for name in "abc")
    document = document_of(dataclasses.replace(MTR, stops=stops, fares=fares))
    written = json.loads(document)["fares"]
    assert (written["unit"], written["rows"]) == (100, ["0 4 9", "9 9 0"])
    assert written["row_of"] == [0, 0, 1]
    read = tariff_of(document).fares
    assert isinstance(read, MatrixFares) and read.rows == rows


def problems(**changes: object) -> list[str]:
    """What is said of MTR's document with some names changed; None takes a name away."""
    changed = json.loads(document_of(MTR)) | changes
    document = json.dumps({k: v for k, v in changed.items() if v is not None}).encode()
    read = read_document(SourceFile("d", document))
    assert read.tariff is None or not read.problems
    assert all((it.file, it.line) == ("d", 1) for it in read.problems), "it is one line"
    return [f"{it.field}: {it.reason}" for it in read.problems]


def test_every_problem_of_a_document_is_told_in_one_run() -> None:
    terms = {"step_minor": "x", "walks": [["1", 2]], "holiday": 1, "overstay": {"mode": "add"}}
    assert problems(operator=None, colour="red", valid_from="26-1-1", terms=terms) == [
        "operator: is missing",
        "colour: is not known",
        "valid_from: is no day such as 2026-06-27",
        "terms.step_minor: 'x' is no whole number",
        "terms.overstay.amount: is missing",
        "terms.overstay.source: is missing",
        "terms.walks.0.1: 2 is no text",
        "terms.holiday: is not known",
    ]


@pytest.mark.parametrize(
    ("fares", "said"),
    [
        ({"kind": "zones"}, "fares: is neither a matrix nor flat"),
        (
            {"kind": "matrix", "unit": 10, "ids": ["1"], "rows": ["1 2"]},
            "fares.rows.0: 2 fares for 1 stops",
        ),
        (
            {"kind": "matrix", "unit": 10, "ids": ["1"], "rows": ["-1"]},
            "fares.rows.0: holds what is no whole number",
        ),
        (
            {"kind": "matrix", "unit": 10, "ids": ["1"], "rows": ["0"], "row_of": [1]},
            "fares.row_of: does not give each stop one of the rows",
        ),
        (
            {"kind": "matrix", "unit": 0, "ids": ["1"], "rows": ["0"]},
            "fares.unit: 0 is outside of 1 to 10000000",
        ),
        (
            {"kind": "flat", "by_route": {}, "by_boarding": [["1", "a", 300], ["1", "a", 500]]},
            "fares.by_boarding: ('1', 'a') a second time",
        ),
        (
            {"kind": "flat", "by_route": {}, "by_section": [["1", "a", "b", 3]] * 2},
            "fares.by_section: ('1', 'a', 'b') a second time",
        ),
        (
            {"kind": "flat", "by_route": {"1": -1}},
            "fares.by_route.1: -1 is no amount in minor units",
        ),
        ({"kind": "flat", "by_route": [], "b": 1}, "fares.b: is not known"),
    ],
)
def test_fares_that_do_not_hold_together_are_problems(fares: object, said: str) -> None:
    assert problems(fares=fares)[0] == said


def test_a_matrix_and_the_stops_name_the_same_stations() -> None:
    stops = json.loads(document_of(MTR))["stops"]
    assert problems(stops=[*stops[:-1], {"id": "79", "names": ["New"]}]) == [
        "stops: '78' has a fare and no name",
        "stops: '79' has no fare",
    ]
    assert problems(stops=[*stops, stops[0], {"id": "80", "names": []}]) == [
        "stops.12: '1' a second time",
        "stops.13: needs at least one name",
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"{", "json: "),
        (b"\xff", "text: not UTF-8"),
        (b"null", "json: null"),
        (b'{"format":NaN}', "json: NaN is no number"),
        (b"[" * 100_000, "json: nested too deep"),
        (b'{"format":"transitpay-tariff/1","fares":{"unit":10,"unit":1000}}', "json: 'unit' twice"),
        ('{"version":"a\u202eb"}'.encode(), "json: 'version' holds control characters"),
        (b"[]", "is no table"),
        (b'{"format":"transitpay-tariff/2"}', "format: 'transitpay-tariff/2' is not"),
    ],
)
def test_what_is_no_document_is_refused_in_one_line(document: bytes, said: str) -> None:
    with pytest.raises(MalformedInput, match=said) as refusal:
        tariff_of(document)
    assert refusal.value.code == "bad_tariff_document"


def test_an_unknown_currency_is_a_problem_of_the_document() -> None:
    assert problems(currency="XXX") == [
        "currency: unknown currency 'XXX'; known: CNY, HKD",
    ]


@pytest.mark.parametrize("amount", [[6600, "CNY"], [-1, "HKD"], [6600, "XXX"], ["1", "HKD"]])
def test_amounts_of_terms_are_in_the_tariffs_currency_and_never_below_nothing(
    amount: list[object],
) -> None:
    written = json.loads(document_of(MTR))
    written["terms"]["overstay"]["amount"] = amount
    written["terms"]["maximum_fare"] = amount
    read = read_document(SourceFile("d", json.dumps(written).encode()))
    told = {it.field for it in read.problems}
    assert told == {"terms.maximum_fare", "terms.overstay.amount"}
