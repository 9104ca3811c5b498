"""A folder of fare files is read whole or refused in one line."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from transitpay.errors import MalformedInput
from transitpay.runtime.tariff_folder import load_book

HEADER = (
    "SRC_STATION_NAME,SRC_STATION_ID,DEST_STATION_NAME,DEST_STATION_ID,"
    "OCT_ADT_FARE,SINGLE_ADT_FARE\n"
)
STATIONS = "Station Code,Station ID,Chinese Name,English Name\nADM,2,金鐘,Admiralty\n"


def fares(amount: str) -> str:
    return HEADER + f"Central,1,Admiralty,2,{amount},5.00\nAdmiralty,2,Central,1,{amount},5.00\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    history = tmp_path / "mtr" / "history"
    history.mkdir(parents=True)
    (tmp_path / "mtr" / "mtr_lines_and_stations.csv").write_text(STATIONS, "utf-8")
    (tmp_path / "mtr" / "mtr_lines_fares.csv").write_text(fares("4.90"), "utf-8")
    old = history / "mtr_lines_fares.2020-01-02.csv.gz"
    old.write_bytes(gzip.compress(fares("4.70").encode()))
    return tmp_path


def test_without_a_folder_the_builtin_networks_are_there() -> None:
    book = load_book(None)
    assert len(book.networks) == 9 and {"mtr", "nlb", "zhongshan-bus"} <= {*book.networks}
    assert set(book.calendars) == {"hong-kong", "mainland"}
    assert book.latest("mtr").version.startswith("builtin-mtr")


def test_a_dated_file_is_a_version_from_its_day(folder: Path) -> None:
    book = load_book(folder, networks=["mtr"])
    assert [one.valid_from for one in book.versions("mtr")] == [
        date(2020, 1, 2),
        date(2026, 6, 9),
    ]
    tariff = book.tariff("mtr", date(2026, 6, 8))
    assert tariff.plain_fare(tariff.find_stop("1"), tariff.find_stop("ADM")).minor == 470


def test_only_the_files_of_the_networks_asked_for_are_read(folder: Path) -> None:
    assert load_book(folder, networks=["mtr"]).latest("kmb").version.startswith("builtin")
    with pytest.raises(MalformedInput, match=r"there is no folder .*shenzhen_metro"):
        load_book(folder)


def test_a_missing_folder_is_one_line_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput) as refusal:
        load_book(tmp_path / "nowhere")
    assert refusal.value.code == "no_data_folder"
    assert str(refusal.value) == f"data: there is no folder {tmp_path / 'nowhere'}"


def test_a_missing_file_is_named_with_its_folder(folder: Path) -> None:
    (folder / "mtr" / "mtr_lines_and_stations.csv").unlink()
    with pytest.raises(MalformedInput, match=r"no mtr_lines_and_stations\.csv in .*mtr"):
        load_book(folder, networks=["mtr"])
    (folder / "hk_bus").mkdir()
    with pytest.raises(MalformedInput, match=r"no ROUTE_BUS\.xml in .*hk_bus"):
        load_book(folder, networks=["kmb"])


def test_broken_files_are_refused_with_the_first_problems_of_all(folder: Path) -> None:
    (folder / "mtr" / "mtr_lines_fares.csv").write_text(fares("x"), "utf-8")
    old = folder / "mtr" / "history" / "mtr_lines_fares.2020-01-02.csv.gz"
    old.write_bytes(gzip.compress(fares("4.75").encode()))
    with pytest.raises(MalformedInput) as refusal:
        load_book(folder, networks=["mtr"])
    assert refusal.value.code == "bad_tariff_file"
    text = str(refusal.value)
    assert "mtr_lines_fares.csv line 2, OCT_ADT_FARE: 'x' is not an amount in HKD" in text
    assert "mtr_lines_fares.2020-01-02.csv.gz line 2" in text
    assert text.endswith("; and 1 more")
    assert "\n" not in text


def test_a_damaged_archive_is_refused_by_name(folder: Path) -> None:
    old = folder / "mtr" / "history" / "mtr_lines_fares.2020-01-02.csv.gz"
    for content in (b"not gzip", gzip.compress(b"x" * 999)[:-9]):
        old.write_bytes(content)
        with pytest.raises(MalformedInput, match=r"2020-01-02\.csv\.gz cannot be read"):
            load_book(folder, networks=["mtr"])


def test_two_files_that_begin_on_one_day_are_refused(folder: Path) -> None:
    (folder / "mtr" / "mtr_lines_fares.2020-01-02.csv").write_text(fares("4.70"), "utf-8")
    with pytest.raises(MalformedInput, match="both begin on 2020-01-02"):
        load_book(folder, networks=["mtr"])


def test_a_day_in_a_name_that_is_none_is_a_problem_and_no_other_day(folder: Path) -> None:
    path = folder / "mtr" / "mtr_lines_fares.2027-13-27.csv"
    path.write_text(fares("4.90"), "utf-8")
    with pytest.raises(MalformedInput, match="2027-13-27 in its name is no day"):
        load_book(folder, networks=["mtr"])


def test_weekday_fares_of_new_lantao_bus_are_read_beside_its_list(tmp_path: Path) -> None:
    folder = tmp_path / "hk_bus"
    folder.mkdir()
    route = (
        "<ROUTE_DATA><ROUTE><ROUTE_ID>7</ROUTE_ID><COMPANY_CODE>NLB</COMPANY_CODE>"
        "<ROUTE_NAMEE>1</ROUTE_NAMEE><FULL_FARE>20</FULL_FARE></ROUTE></ROUTE_DATA>"
    )
    for day in ("2026-03-31", "2027-01-01"):
        (folder / f"ROUTE_BUS.{day}.xml").write_text(route, "utf-8")
    (folder / "nlb-weekday.csv").write_text("route,amount\n1,12.00\n", "utf-8")
    (folder / "nlb-weekday.2027-01-01.csv").write_text("route,amount\n1,13.00\n", "utf-8")
    versions = load_book(tmp_path, networks=["nlb"]).versions("nlb")
    assert [it.plain_fare(it.find_stop("7")).minor for it in versions] == [1200, 1300]
    assert not any("Weekday" in text for it in versions for text in it.terms.unknown)
    for name, reason in (
        ("other-weekday.csv", "other-weekday.csv, weekdays: a second such file"),
        ("weekday.2027-02-01.csv", "no ROUTE_BUS file is of 2027-02-01"),
    ):
        (folder / name).write_text("route,amount\n1,12.00\n", "utf-8")
        with pytest.raises(MalformedInput, match=reason):
            load_book(tmp_path, networks=["nlb"])
        (folder / name).unlink()
