"""Every line of a fare says why in three languages, whatever pricing function makes it.

The lines are those of all scenario tables, and of the few rules that no network of them has.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from scenarios.books import scenario_books
from scenarios.scenario import all_tables, lines_of, read_row
from transitpay.fares import line_texts
from transitpay.fares.business_car import price_business_car
from transitpay.fares.fare import FareLine
from transitpay.fares.line_texts import Sentence, as_told
from transitpay.fares.names import Language, simplified
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff, TariffBook
from transitpay.fares.words import LANGUAGES, word
from transitpay.money import HKD, Currency, Money
from transitpay.runtime.builtin import builtin_book

SENTENCES = {name: it for name, it in vars(line_texts).items() if isinstance(it, Sentence)}
_FARES = Path(line_texts.__file__).parent


@pytest.fixture(scope="module")
def books() -> Mapping[str, TariffBook]:
    return {**scenario_books(), "other": TariffBook(_other_rules())}


def _other_rules() -> list[Tariff]:
    mtr, kmb = (builtin_book().latest(network) for network in ("mtr", "kmb"))
    assert isinstance(mtr.fares, MatrixFares)
    rows = tuple(tuple(0 for _ in row) for row in mtr.fares.rows)
    walks = frozenset({frozenset({"2", "78"})})
    bus_fares = FlatFares({"1A": 0, "2": 500}, by_boarding={("2", "A"): 0})
    return [
        replace(mtr, fares=MatrixFares(mtr.fares.ids, rows), terms=replace(mtr.terms, walks=walks)),
        replace(kmb, fares=bus_fares, stops=tuple(Stop(it, (it,)) for it in ("1A", "2"))),
    ]


def _business_car() -> list[FareLine]:
    metro = builtin_book().latest("shenzhen-metro")
    ends = (metro.find_stop("福田"), metro.find_stop("机场"))
    assert metro.terms.business_car is not None
    car = replace(metro.terms.business_car, stops=frozenset(it.id for it in ends))
    metro = replace(metro, terms=replace(metro.terms, business_car=car))
    return list(price_business_car(ends, ends, timedelta(minutes=211), metro).lines)


def test_pricing_names_each_sentence_of_the_table_and_makes_none_of_its_own() -> None:
    named: set[str] = set()
    for path in sorted(_FARES.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                named |= {node.attr} if node.value.id == "line_texts" else set()
            if isinstance(node, ast.Call) and path.name != "line_texts.py":
                assert getattr(node.func, "id", "") not in ("Sentence", "as_told"), path.name
    assert named == set(SENTENCES)


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_has_three_texts_of_the_same_values(name: str) -> None:
    it = SENTENCES[name]
    texts = [it.text(language) for language in LANGUAGES]
    assert len(set(texts)) == len(LANGUAGES) and all(texts)
    assert len({len(re.findall(r"\{\d?\}", text)) for text in texts}) == 1
    assert not re.search("[A-Za-z]", it.zh_hant + it.zh_hans)
    assert simplified(it.zh_hans) == it.zh_hans


def test_every_sentence_is_said_by_a_real_fare_and_leaves_no_place_open(
    books: Mapping[str, TariffBook],
) -> None:
    tables = all_tables(Path(__file__).parent)
    told = [line for _, rows in tables for row in rows for line in lines_of(row, books)]
    for ride in (
        "12:00 in mtr 2; 12:30 out mtr 78",
        "12:00 in mtr 2; 12:30 out mtr 1",
        "12:00 board kmb 1A",
        "12:00 board kmb 2@A",
    ):
        told += lines_of(read_row("other", f"book other; {ride}", "here"), books)
    told += _business_car()
    assert {line.why for line in told} == set(SENTENCES.values())
    for line in told:
        for language in LANGUAGES:
            text = line.text(language)
            assert not re.search(r"[{}]", text)
            stops = [it.name(language) for it in line.values if isinstance(it, Stop)]
            assert all(name in text for name in stops)


@pytest.mark.parametrize(
    ("ride", "last"),
    [
        (
            "12:00 in mtr Admiralty; 14:31:20 out mtr Lok_Ma_Chau",
            (
                "逾時：停留 151 分鐘 20 秒，超過 150 分鐘時限，加收附加費港幣 66.00 元",
                "超时：停留 151 分钟 20 秒，超过 150 分钟时限，加收附加费港币 66.00 元",
                "stay of 151 min 20 s is over 150 minutes: a surcharge of HKD 66.00",
            ),
        ),
        (
            "12:00 in mtr Sheung_Shui",
            (
                "由上水入閘後未有出閘紀錄：收取最高車費（按本平台理解）",
                "在上水进站后无出站记录：收取最高票价（按本平台理解）",
                "no exit is known for the entry at Sheung Shui: the maximum fare (our reading)",
            ),
        ),
        (
            "12:00 in shenzhen-metro 老街; 12:30 out shenzhen-metro 老街",
            ("老街同站進出", "老街同站进出", "in and out at Laojie"),
        ),
        (
            "12:00 board shenzhen-bus 22; 13:30 board shenzhen-bus 22",
            (
                "轉乘優惠：距上一程深圳巴士 90 分鐘，在 90 分鐘內",
                "换乘优惠：距上一程深圳公交 90 分钟，在 90 分钟内",
                "90 min after Shenzhen buses, within 90 minutes",
            ),
        ),
    ],
)
def test_a_fare_is_explained_in_the_words_of_its_reader(
    ride: str, last: tuple[str, str, str], books: Mapping[str, TariffBook]
) -> None:
    line = lines_of(read_row("a ride", ride, "here"), books)[-1]
    assert tuple(line.text(language) for language in LANGUAGES) == last


def test_what_has_no_name_in_a_language_is_shown_as_it_is() -> None:
    for language in LANGUAGES:
        assert word("somewhere", language) == "somewhere"
        assert as_told("fare", "{as} it was").text(language) == "{as} it was"
    assert word(Money(100, Currency("XXX", 2)), Language.ZH_HANT) == "XXX 1.00"
    assert word(Money(123456, HKD), Language.ZH_HANS) == "港币 1,234.56 元"
