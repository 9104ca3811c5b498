"""``transitpay tariffs``: an operator's files become a version, or all their problems are told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from transitpay.cli import cli
from transitpay.clock import service_day
from transitpay.errors import (
    Conflict,
    MalformedInput,
    RuleViolation,
    TemporarilyUnavailable,
    TransitPayError,
)
from transitpay.fares.document import document_of, tariff_of
from transitpay.fares.tariff import FlatFares
from transitpay.postgres.reference import Actor, Participant, Role
from transitpay.runtime import access
from transitpay.runtime.builtin import builtin_book

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
HEADER = (
    "SRC_STATION_NAME,SRC_STATION_ID,DEST_STATION_NAME,DEST_STATION_ID,"
    "OCT_ADT_FARE,SINGLE_ADT_FARE\n"
)
STATIONS = "Station Code,Station ID,Chinese Name,English Name\nADM,2,金鐘,Admiralty\n"
TERMS = 'network = "mtr"\ncurrency = "HKD"\n[step]\nvalue = "0.10"\nsource = "s"\ngrade = "D"\n'


def fares(there: str, back: str | None = None) -> str:
    return (
        HEADER + f"Central,1,Admiralty,2,{there},5.00\nAdmiralty,2,Central,1,{back or there},5.00\n"
    )


@pytest.fixture
async def home(db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    conn = await db.connect("transitpay_gateway")
    await access.enrol_participant(conn, Participant("mtr", "operator", "MTR", "HKD"), AT)
    await access.admit_actor(conn, Actor("otto", "O", Role.OPERATOR, "mtr"), AT)
    await access.admit_actor(conn, Actor("anna", "A", Role.ADMIN), AT)
    for name, value in db.settings.environment().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "mtr_lines_and_stations.csv").write_text(STATIONS, "utf-8")
    return tmp_path


async def invoke(*words: str | Path) -> Result:
    def once() -> Result:
        return CliRunner().invoke(cli, ["tariffs", *map(str, words)], catch_exceptions=False)

    return await asyncio.to_thread(once)


async def answer(*words: str | Path) -> Any:
    result = await invoke(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def mtr(home: Path, text: str, day: str = "2027-06-27") -> tuple[Path, Path]:
    path = home / f"mtr_lines_fares.{day}.csv"
    path.write_text(text, "utf-8")
    return path, home / "mtr_lines_and_stations.csv"


async def test_files_become_a_version_once(home: Path) -> None:
    files = mtr(home, fares("4.90"))
    (made,) = (await answer("import", *files, "--by", "otto"))["stored"]
    assert (made["became"], made["valid_from"]) == ("counts", "2027-06-27")
    (again,) = (await answer("import", *files, "--by", "anna"))["stored"]
    assert again == made | {"became": "same"}
    (listed,) = (await answer("list"))["versions"]
    assert (listed["state"], listed["recorded_by"]) == ("to come", "otto")
    shown = await invoke("show", "mtr", made["version"])
    tariff = tariff_of(shown.stdout.strip().encode())
    assert tariff.plain_fare(tariff.find_stop("1"), tariff.find_stop("ADM")).minor == 490


async def test_all_problems_of_all_files_are_told_by_line_and_nothing_is_stored(home: Path) -> None:
    terms = home / "terms.toml"
    terms.write_text(TERMS + "[colour]\nvalue = 1\n", "utf-8")
    result = await invoke(
        "import", *mtr(home, fares("4.9x", "4.95")), "--by", "anna", "--terms", terms
    )
    assert result.exit_code == 1
    assert "terms.toml line 7, colour: is not known" in result.stderr
    result = await invoke("import", *mtr(home, fares("4.9x", "4.95")), "--by", "anna")
    assert result.exit_code == 1
    name = "mtr_lines_fares.2027-06-27.csv"
    assert f"problem: {name} line 2, OCT_ADT_FARE: '4.9x' is not an amount" in result.stderr
    assert f"problem: {name} line 3, OCT_ADT_FARE: not a multiple of 0.10" in result.stderr
    assert "2 problems; nothing is stored" in result.stderr
    assert (await answer("list"))["versions"] == []


async def test_other_content_under_a_name_is_refused(home: Path) -> None:
    await answer("import", *mtr(home, fares("4.90")), "--by", "anna", "--version", "summer")
    with pytest.raises(Conflict, match="give this one a name of its own") as refusal:
        await invoke("import", *mtr(home, fares("5.00")), "--by", "anna", "--version", "summer")
    assert refusal.value.code == "other_content"
    with pytest.raises(Conflict, match="give this one a name of its own"):
        await invoke("check", *mtr(home, fares("5.00")), "--stored", "--version", "summer")


async def test_terms_of_ones_own_make_another_version_of_the_same_fares(home: Path) -> None:
    terms = home / "terms.toml"
    stay = "".join(
        f'[{name}]\nvalue = {value}\nsource = "s"\ngrade = "A"\n'
        for name, value in (
            ("limit_minutes", 90), ("longest_stay_minutes", 180), ("maximum_fare", '"99.00"'),
        )
    )  # fmt: skip
    terms.write_text(TERMS + stay, "utf-8")
    files = mtr(home, fares("4.90"))
    (first,) = (await answer("import", *files, "--by", "anna"))["stored"]
    (second,) = (await answer("import", *files, "--by", "anna", "--terms", terms))["stored"]
    assert second["version"].startswith(first["version"] + "+terms#")
    states = [it["state"] for it in (await answer("list", "--network", "mtr"))["versions"]]
    assert states == ["superseded", "to come"]
    lines = (await invoke("diff", f"mtr/{first['version']}", f"mtr/{second['version']}")).stdout
    assert "terms: limit minutes 150 -> 90\n" in lines
    assert "terms: maximum fare 4.90 -> 99.00\n" in lines


async def test_what_nobody_said_is_asked_for_by_its_option(home: Path) -> None:
    path = home / "mtr_lines_fares.csv"
    path.write_text(fares("4.90"), "utf-8")
    files = (path, home / "mtr_lines_and_stations.csv")
    odd = home / "odd.bin"
    odd.write_bytes(b"?")
    bus = home / "ROUTE_BUS.2027-01-01.xml"
    bus.write_text("<x/>", "utf-8")
    for words, field in (
        (("import", *files, "--by", "anna"), "--valid-from"),
        (("import", odd, "--by", "anna"), "--format"),
        (("import", bus, "--by", "anna"), "--network"),
        (("import", bus, "--by", "anna", "--network", "tram"), "--network"),
        (("import", *files, "--by", "anna", "--valid-from", "soon"), "--valid-from"),
        (("import", *files, "--by", "anna", "--gtfs", "colour=red"), "--gtfs"),
    ):
        with pytest.raises(MalformedInput) as refusal:
            await invoke(*words)
        assert refusal.value.field == field
    with pytest.raises(RuleViolation, match="no actor 'nobody'"):
        await invoke("import", *files, "--by", "nobody", "--valid-from", "2027-01-01")


async def test_a_file_that_cannot_be_read_is_a_problem_with_its_name(home: Path) -> None:
    bad = home / "mtr_lines_fares.csv.gz"
    bad.write_bytes(b"no gzip")
    result = await invoke("check", bad, home / "gone.csv")
    assert result.exit_code == 1
    assert "mtr_lines_fares.csv.gz, file: cannot be read" in result.stderr
    assert "gone.csv, file: cannot be read" in result.stderr


async def test_check_says_no_where_import_does(home: Path) -> None:
    files = mtr(home, fares("4.90", "x"), "27")
    result = await invoke("check", *files)
    assert result.exit_code == 1 and "2 problems" in result.stderr
    assert "mtr_lines_fares.27.csv, --valid-from: no file's name holds the one" in result.stderr
    files = mtr(home, fares("4.90"), "2027-13-27")
    for command in (("check", *files), ("import", *files, "--by", "anna")):
        result = await invoke(*command)
        assert result.exit_code == 1 and "can be imported" not in result.stdout
        assert "mtr_lines_fares.2027-13-27.csv, file: 2027-13-27 in its name is no" in result.stderr


async def test_files_are_known_by_what_their_format_needs_and_what_lacks_is_named(
    home: Path,
) -> None:
    fares_file, _ = mtr(home, fares("4.90"))
    result = await invoke("check", fares_file)
    assert "problem: mtr_lines_and_stations*.csv, stations: the format mtr needs it" in (
        result.stderr
    )
    result = await invoke("check", "--network", "kmb", *mtr(home, fares("4.90")))
    assert "mtr, network: files of this format are those of mtr, not kmb" in result.stderr
    with pytest.raises(MalformedInput, match="read as mtr, not as a GTFS feed") as refusal:
        await invoke("check", *mtr(home, fares("4.90")), "--gtfs", "media=card")
    assert refusal.value.field == "--gtfs"


async def test_what_is_neither_a_file_nor_a_stored_network_is_refused_by_name(home: Path) -> None:
    files = mtr(home, fares("4.90"))
    assert (await answer("list", "--network", "zzz"))["versions"] == []
    await answer("import", *files, "--by", "anna")
    for words in (("list", "--network", "zzz"), ("show", "zzz"), ("diff", "zzz@2027-01-01", "mtr")):
        with pytest.raises(RuleViolation, match="'zzz' is stored; stored are those of mtr"):
            await invoke(*words)
    for gone in ("/nope", "gone.csv", "a/b/c"):
        with pytest.raises(MalformedInput, match=f"there is no file {gone}"):
            await invoke("diff", gone, files[0])


@pytest.mark.parametrize(
    "words",
    [
        "check odd.bin",
        "import odd.bin --by anna",
        "diff gone.csv odd.bin",
        "dry-run gone.csv --from 2027-01-01 --to 2027-01-01",
        "dry-run odd.bin --from soon --to 2027-01-01",
        "list --network zzz",
    ],
)
async def test_every_refusal_is_one_json_object_too(home: Path, words: str) -> None:
    await answer("import", *mtr(home, fares("4.90")), "--by", "anna")
    (home / "odd.bin").write_bytes(b"?")
    given = [str(home / it) if it == "odd.bin" else it for it in words.split()]

    def once() -> Result:
        return CliRunner().invoke(cli, ["tariffs", *given, "--json"])

    result = await asyncio.to_thread(once)
    assert isinstance(result.exception, TransitPayError)
    told = json.loads(result.stdout)
    assert (told["refused"], told["reason"]) == (result.exception.code, result.exception.message)


async def test_problems_of_compared_files_are_json_too(home: Path) -> None:
    bad, stations = mtr(home, fares("x"))
    for command in (
        ("diff", bad, bad, "--beside", stations),
        ("dry-run", bad, stations, "--from", "2027-07-01", "--to", "2027-07-01"),
    ):
        result = await invoke(*command, "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["problems"][0]["line"] == 2


@pytest.mark.parametrize("words", ["list", "show mtr", "diff mtr mtr"])
def test_a_command_that_looks_makes_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("TRANSITPAY_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(cli, ["tariffs", *words.split()])
    assert isinstance(result.exception, TemporarilyUnavailable)
    assert "`transitpay db init` makes one" in result.exception.message
    assert not (tmp_path / "home").exists()


async def test_documents_are_read_as_they_were_written(home: Path) -> None:
    kmb = builtin_book().latest("kmb")
    assert isinstance(kmb.fares, FlatFares)
    large = {f"A{number}": 560 for number in range(1000)} | dict(kmb.fares.by_route)
    tariff = replace(kmb, fares=FlatFares(large))
    path = home / "kmb.json"
    path.write_bytes(document_of(tariff))
    (made,) = (await answer("import", path, "--by", "anna"))["stored"]
    assert made["version"] == tariff.version
    shown = (await invoke("show", "kmb")).stdout.strip().encode()
    assert shown == document_of(tariff)
    path.write_bytes(document_of(tariff).replace(b'"HKD"', b'"USD"'))
    result = await invoke("import", path, "--by", "anna")
    assert result.exit_code == 1 and "kmb.json line 1, currency: unknown currency" in result.stderr


async def test_check_lists_problems_and_what_is_unlikely_and_stores_nothing(home: Path) -> None:
    result = await invoke("check", *mtr(home, fares("4.90", "5.00")))
    assert result.exit_code == 0
    assert "look at: pairs that cost another fare the other way: 1, e.g. Admiralty" in result.stdout
    assert "mtr mtr_lines_fares.2027-06-27#" in result.stdout
    result = await invoke("check", *mtr(home, fares("4.95")), "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout.splitlines()[-1])
    assert [it["line"] for it in told["problems"]] == [2, 3]
    assert (await answer("list"))["versions"] == []


async def test_diff_compares_files_and_stored_versions_in_plain_words(home: Path) -> None:
    old, stations = mtr(home, fares("4.90"))
    await answer("import", old, stations, "--by", "anna", "--version", "old")
    new = home / "mtr_lines_fares.csv"
    new.write_text(fares("5.40"), "utf-8")
    result = await invoke("diff", "mtr@2027-06-27", new, "--beside", stations)
    assert (
        result.stdout.splitlines()[0]
        == "2 fares rose by 0.50, e.g. Central - Admiralty 4.90 -> 5.40"
    )
    told = await answer("diff", "mtr/old", old, "--beside", stations)
    assert (told["same"], told["words"]) == (True, [])
    with pytest.raises(RuleViolation, match="mtr has no tariff in force on 2027-06-26"):
        await invoke("diff", "mtr@2027-06-26", new, "--beside", stations)
    new.write_text(fares("x"), "utf-8")
    assert (await invoke("diff", "mtr/old", new, "--beside", stations)).exit_code == 1


async def test_the_states_of_versions_follow_their_days_and_when_they_were_recorded(
    home: Path, db: Any
) -> None:
    today = service_day(datetime.now(UTC))
    tariff = builtin_book().latest("mtr")
    path = home / "mtr.json"
    for name, days in (("past", -40), ("first", -2), ("second", -2), ("soon", 3)):
        it = replace(tariff, version=name, valid_from=today + timedelta(days=days))
        path.write_bytes(document_of(it))
        await answer("import", path, "--by", "anna")
    found = (await answer("list"))["versions"]
    assert {it["version"]: it["state"] for it in found} == {
        "past": "past", "first": "superseded", "second": "in force", "soon": "to come",
    }  # fmt: skip
    table = (await invoke("list")).stdout
    assert "superseded" in table and "anna" in table


async def booked(db: Any) -> Any:
    """A journey is booked of which a new version would change the fare; the owner's connection."""
    owner = await db.connect()
    await owner.execute(
        "insert into journey (id, key, issuer, rider_id, slot, network, operator, kind, state,"
        " entry_at, exit_at, priced_at, service_day, cleared_at, fare_minor, fare_currency,"
        " fare_lines, tariff_version) values ('a', 'a', 'alipayhk', '00', 0, 'mtr', 'mtr',"
        " 'entry_exit', 'completed', $1, $1, $1, '2027-07-01', $1, 490, 'HKD', '[]', 'x')",
        AT,
    )
    return owner


async def test_a_version_of_booked_journeys_is_confirmed_by_another_person(
    home: Path, db: Any
) -> None:
    owner = await booked(db)
    files = mtr(home, fares("4.90"))
    (made,) = (await answer("import", *files, "--by", "anna"))["stored"]
    assert made["became"] == "waits"
    said = (await invoke("import", *files, "--by", "anna")).stdout
    assert "another person runs `transitpay tariffs confirm mtr" in said
    (listed,) = (await answer("list"))["versions"]
    assert listed["state"] == "waits for a second person" and listed["counts_at"] is None
    with pytest.raises(RuleViolation) as refusal:
        await invoke("confirm", "mtr", made["version"], "--by", "anna")
    assert refusal.value.code == "four_eyes"
    (done,) = (await answer("confirm", "mtr", made["version"], "--by", "otto"))["stored"]
    assert (done["became"], done["riders_read_again"]) == ("counts", 1)
    assert await owner.fetchval("select since from tap_inbox") == AT


async def test_a_version_that_waits_is_withdrawn_told_by_all_and_imported_under_another_name(
    home: Path, db: Any
) -> None:
    owner = await booked(db)
    files = mtr(home, fares("4.90"))
    (made,) = (await answer("import", *files, "--by", "anna"))["stored"]
    name = made["version"]
    await owner.execute("set session_replication_role = replica")
    await owner.execute("update tariff_version set recorded_at = now() - interval '185 minutes'")
    assert "waits for a second person, 3 h 5 min" in (await invoke("list")).stdout
    assert "waits for a second person" in (await invoke("show", "mtr", name)).stderr
    words = ("withdraw", "mtr", name, "--by", "otto", "--reason", "the draft")
    done = await answer(*words)
    assert (done["state"], done["withdrawn_by"], done["withdrawn_why"]) == (
        "withdrawn", "otto", "the draft",
    )  # fmt: skip
    assert await answer(*words) == done
    assert (await answer("list"))["versions"] == [done]
    shown = await invoke("show", "mtr", name)
    for text in ((await invoke(*words)).stdout, (await invoke("list")).stdout, shown.stderr):
        assert f"mtr {name}: withdrawn by otto, " in text and "UTC: the draft\n" in text
    assert tariff_of(shown.stdout.strip().encode()).version == name
    for again in (
        ("confirm", "mtr", name, "--by", "otto"),
        ("import", *files, "--by", "anna"),
        ("check", *files, "--stored"),
    ):
        with pytest.raises(Conflict, match="otto withdrew it") as refusal:
            await invoke(*again)
        assert refusal.value.code == "already_withdrawn"
    (anew,) = (await answer("import", *files, "--by", "anna", "--version", "anew"))["stored"]
    assert (anew["version"], anew["became"]) == ("anew", "waits")


async def test_all_of_mtr_and_shenzhen_is_stored(home: Path, data_dir: Path) -> None:
    (mtr_file, stations) = (
        data_dir / "mtr" / name for name in ("mtr_lines_fares.csv", "mtr_lines_and_stations.csv")
    )
    await answer("import", mtr_file, stations, "--by", "anna", "--valid-from", "2026-06-09")
    names = ("metro-fare-stations", "metro-fares-standard", "metro-network")
    files = [data_dir / "shenzhen_metro" / f"{name}.json" for name in names]
    await answer("import", *files, "--by", "anna", "--valid-from", "2018-08-31")
    metrics = data_dir / "shenzhen_metro" / "metro-line-metrics.json"
    told = await answer("check", *files, metrics, "--valid-from", "2018-08-31")
    assert told["problems"] == [] and told["warnings"]
