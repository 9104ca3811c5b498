"""The operators' own files load whole, and say what the built-in network says.

These tests read the folder that TRANSITPAY_DATA names.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from datetime import date
from pathlib import Path

import pytest

from transitpay.errors import MalformedInput
from transitpay.fares.tariff import FlatFares, Stop, Tariff, TariffBook
from transitpay.fares.terms import OverstayMode
from transitpay.money import HKD, Money, parse_major
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.tariff_folder import load_book


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("TRANSITPAY_DATA")
    if not folder:
        pytest.skip("TRANSITPAY_DATA is unset: the operators' files were not tested")
    return Path(folder)


@pytest.fixture(scope="module")
def book(data: Path) -> TariffBook:
    return load_book(data)


def test_mtr_has_four_versions_and_each_day_its_own(book: TariffBook) -> None:
    days = [tariff.valid_from for tariff in book.versions("mtr")]
    assert days == [date(2022, 5, 23), date(2024, 6, 30), date(2026, 4, 4), date(2026, 6, 9)]
    fares = []
    for day in (date(2024, 6, 29), date(2024, 6, 30), date(2026, 10, 1)):
        tariff = book.tariff("mtr", day)
        fares.append(tariff.plain_fare(tariff.find_stop("ADM"), tariff.find_stop("LMC")).minor)
    assert fares == [4960, 5220, 5220]


def test_terms_move_with_the_version(book: TariffBook) -> None:
    old, new = book.versions("mtr")[0].terms, book.versions("mtr")[-1].terms
    for terms, lowest, highest, surcharge, border in (
        (old, 380, 5780, 6250, 2510),
        (new, 400, 6080, 6600, 2650),
    ):
        assert terms.overstay is not None and terms.overstay.mode is OverstayMode.ADD
        assert terms.overstay.amount == Money(surcharge, HKD)
        assert terms.maximum_fare == Money(highest, HKD)
        assert terms.same_station[0].amount == Money(lowest, HKD)
        assert dict(terms.same_station_at) == {
            "76": Money(border, HKD),
            "78": Money(border, HKD),
        }


def test_all_9216_pairs_of_mtr_are_those_of_the_file(data: Path, book: TariffBook) -> None:
    tariff = book.latest("mtr")
    stops = {stop.id: stop for stop in tariff.stops}
    with (data / "mtr" / "mtr_lines_fares.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), len(stops)) == (9216, 96)
    for row in rows:
        start, end = stops[row["SRC_STATION_ID"]], stops[row["DEST_STATION_ID"]]
        if start != end:
            assert tariff.plain_fare(start, end) == parse_major(row["OCT_ADT_FARE"], HKD)


def test_stations_of_mtr_are_named_in_three_scripts_and_by_code(book: TariffBook) -> None:
    assert book.find_stop("mtr", "Admiralty").names == ("Admiralty", "金鐘", "金钟", "ADM")
    assert book.find_stop("mtr", "Hong Kong").id == "39"
    assert book.find_stop("mtr", "馬場").id == "70"
    for stop in book.latest("mtr").stops:
        assert len(stop.names) >= 3
        for name in stop.names:
            assert book.find_stop("mtr", name.lower()) == stop


def test_all_432_x_432_records_of_shenzhen_metro_are_those_of_the_file(
    data: Path, book: TariffBook
) -> None:
    tariff = book.latest("shenzhen-metro")
    folder = data / "shenzhen_metro"
    records = json.loads((folder / "metro-fare-stations.json").read_text("utf-8"))["stations"]
    matrix = json.loads((folder / "metro-fares-standard.json").read_text("utf-8"))["matrix"]
    stops: list[Stop] = [tariff.find_stop(record["name"]) for record in records]
    assert (len(records), len({stop.id for stop in stops})) == (432, 351)
    for row, start in zip(matrix, stops, strict=True):
        for fare, end in zip(row, stops, strict=True):
            if start.id != end.id:
                assert tariff.fares.minor(start.id, end.id) == fare * 100  # type: ignore[union-attr]  # a matrix


def test_stations_of_shenzhen_are_found_by_every_name_that_is_theirs_alone(
    book: TariffBook,
) -> None:
    assert book.find_stop("shenzhen-metro", "罗湖").id == "0101"
    assert book.find_stop("shenzhen-metro", "深圳北").id == "0410"
    assert book.find_stop("shenzhen-metro", "Luohu").names == ("罗湖", "Luohu", "0101", "1号线:1")
    assert book.find_stop("shenzhen-metro", "1号线:1").id == "0101"
    with pytest.raises(MalformedInput, match="more than one station"):
        book.find_stop("shenzhen-metro", "Haoxiang")
    for stop in book.latest("shenzhen-metro").stops:
        assert book.find_stop("shenzhen-metro", stop.names[0]) == stop
        for name in stop.names:
            if name.isdigit():
                assert book.find_stop("shenzhen-metro", name) == stop


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("大劇院", "大剧院"),
        ("華強路", "华强路"),
        ("購物公園", "购物公园"),
        ("華僑城", "华侨城"),
        ("少年宮", "少年宫"),
        ("觀瀾湖", "观澜湖"),
        ("百鴿籠", "百鸽笼"),
        ("梅林關", "梅林关"),
        ("粵海門", "粤海门"),
        ("東縱紀念館", "东纵纪念馆"),
    ],
)
def test_stations_of_shenzhen_are_found_in_traditional_characters(
    book: TariffBook, traditional: str, simplified: str
) -> None:
    assert book.find_stop("shenzhen-metro", traditional).names[0] == simplified


def test_every_route_of_kmb_and_citybus_has_its_fare_or_asks_for_the_variant(
    data: Path, book: TariffBook
) -> None:
    for network, numbers, ambiguous in (("kmb", 721, 10), ("citybus", 371, 13)):
        tariff = book.latest(network)
        assert isinstance(tariff.fares, FlatFares)
        assert tariff.valid_from == date(2026, 3, 31)
        plain = [stop for stop in tariff.stops if stop.names == (stop.id,)]
        assert len(plain) == numbers - ambiguous
    assert fare_of(book, "kmb", "B1") == 1530
    assert fare_of(book, "kmb", "A41") == 2340
    assert fare_of(book, "citybus", "B3X") == 1650
    assert fare_of(book, "citybus", "118") == fare_of(book, "kmb", "118") == 1290
    assert fare_of(book, "citybus", "8663") == 1220
    with pytest.raises(MalformedInput, match=r"1482 \(101 .*HKD 12.90\).*8663 \(101 .*HKD 12.20"):
        book.find_stop("citybus", "101")


def fare_of(book: TariffBook, network: str, route: str) -> int:
    tariff = book.latest(network)
    return tariff.plain_fare(tariff.find_stop(route)).minor


@pytest.mark.parametrize("small", builtin_book().networks)
def test_the_builtin_network_agrees_with_the_files(small: str, book: TariffBook) -> None:
    mine: Tariff = builtin_book().latest(small)
    theirs = book.tariff(small, mine.valid_from)
    assert mine.terms == theirs.terms
    for start in mine.stops:
        stop = theirs.find_stop(start.id)
        assert stop.id == start.id
        if isinstance(mine.fares, FlatFares):
            assert mine.plain_fare(start) == theirs.plain_fare(stop)
            continue
        assert set(start.names) <= set(stop.names)
        for end in mine.stops:
            if start != end:
                assert mine.plain_fare(start, end) == theirs.plain_fare(
                    stop, theirs.find_stop(end.id)
                )


def test_recorded_metro_exits_of_2018_agree_with_the_matrix(data: Path, book: TariffBook) -> None:
    """Pairs of one card in a slice of the day: a few are of two rides, or were priced otherwise."""
    tariff = book.tariff("shenzhen-metro", date(2018, 9, 1))
    entries: dict[str, str] = {}
    same = other = 0
    for row in _recorded(data / "szt"):
        if row["deal_type"] == "地铁入站":
            entries[row["card_no"]] = row["station"]
        elif row["deal_type"] == "地铁出站" and row["card_no"] in entries:
            try:
                start = tariff.find_stop(entries.pop(row["card_no"]))
                end = tariff.find_stop(row["station"])
            except MalformedInput:
                continue
            if start != end:
                equal = tariff.plain_fare(start, end).minor == int(row["deal_value"])
                same, other = same + equal, other + (not equal)
    assert (same, other) == (524, 6)


def _recorded(folder: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return sorted(rows, key=lambda row: row["deal_date"])
