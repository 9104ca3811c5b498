"""The lines of a fare are kept in the words in which they were told."""

from __future__ import annotations

import json

from transitpay.fares import line_texts
from transitpay.fares.fare import FareLine
from transitpay.fares.words import LANGUAGES
from transitpay.money import HKD, Money
from transitpay.postgres.journeys.fare_lines import lines_from_json, lines_to_json


def told(line: FareLine) -> list[str]:
    return [line.text(language) for language in LANGUAGES]


def test_a_line_is_read_back_in_the_words_of_each_language_with_its_note() -> None:
    cap = FareLine(line_texts.CAP, Money(-100, HKD), (Money(6000, HKD), "day"), "a {cap}")
    waived = FareLine(line_texts.FARE_WAIVED, Money(-500, HKD))
    stored = json.loads(lines_to_json((cap, waived)))
    assert "note" not in stored[1]
    for line, read in zip((cap, waived), lines_from_json(stored, HKD), strict=True):
        assert (read.code, read.amount, read.note) == (line.code, line.amount, line.note)
        assert told(read) == told(line)


def test_a_line_of_before_the_languages_is_english_in_each() -> None:
    stored = [{"code": "fare", "text": "Admiralty to Lok Ma Chau, adult", "amount_minor": 5220}]
    [line] = lines_from_json(stored, HKD)
    assert (line.code, line.amount, line.note) == ("fare", Money(5220, HKD), "")
    assert told(line) == ["Admiralty to Lok Ma Chau, adult"] * 3
