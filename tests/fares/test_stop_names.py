"""A station has a name in English, traditional and simplified Chinese, and none is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from transitpay.fares.names import Language, traditional
from transitpay.fares.tariff import Stop
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.tariff_folder import load_book

BOOK = builtin_book()


@pytest.mark.parametrize(
    ("network", "stop", "names"),
    [
        ("mtr", "76", ["Lo Wu", "羅湖", "罗湖"]),
        ("shenzhen-metro", "0101", ["Luohu", "羅湖", "罗湖"]),
        ("shenzhen-metro", "0230", ["Liantang Checkpoint", "蓮塘口岸", "莲塘口岸"]),
        ("kmb", "B1", ["B1", "B1", "B1"]),
    ],
)
def test_a_stop_has_a_name_in_every_language(network: str, stop: str, names: list[str]) -> None:
    found = BOOK.find_stop(network, stop)
    assert [found.name(language) for language in Language] == names


def test_a_name_of_two_traditional_forms_stays_as_it_is_published() -> None:
    assert traditional("后海") == ""
    stop = Stop("0219", ("后海", "Houhai"), en="Houhai", zh_hans="后海")
    assert stop.name(Language.ZH_HANT) == "后海"


def test_characters_that_both_ways_of_writing_have_stay() -> None:
    assert traditional("左炮台东") == "左炮台東"
    assert traditional("溪涌") == "溪涌"
    assert traditional("启德") == "啟德"


def test_a_stop_is_found_by_its_names_in_each_language() -> None:
    assert BOOK.find_stop("shenzhen-metro", "蓮塘口岸").id == "0230"
    assert BOOK.find_stop("mtr", "红磡").id == "64"


def test_every_station_of_the_real_files_has_three_names(data_dir: Path) -> None:
    book = load_book(data_dir, networks=["mtr", "shenzhen-metro"])
    for network in ("mtr", "shenzhen-metro"):
        for stop in book.latest(network).stops:
            en, zh_hant, zh_hans = (stop.name(language) for language in Language)
            assert en.isascii() or "’" in en, f"{stop} has no English name"
            assert not zh_hant.isascii() and not zh_hans.isascii(), f"{stop} has no Chinese name"
