"""What ``transitpay tariffs`` refuses in one line, and what it tells a person to look at."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result
from test_tariffs_command import AT, STATIONS, TERMS, fares, home
from test_tariffs_command import mtr as fare_files

from transitpay.cli import cli
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.document import document_of
from transitpay.fares.tariff import FlatFares
from transitpay.fares.terms import Cap, CapPeriod, CodeDiscount, Transfer
from transitpay.money import CNY, HKD, Money
from transitpay.postgres.reference import Actor, Participant, Role
from transitpay.runtime import access
from transitpay.runtime.builtin import builtin_book, builtin_tariffs

__all__ = ["home"]
MTR, KMB = builtin_book().latest("mtr"), builtin_book().latest("kmb")
DAY = date(2027, 1, 1)


def mtr(home: Path, text: str) -> tuple[Path, Path]:
    (home / "mtr_lines_and_stations.csv").write_text(STATIONS, "utf-8")
    return fare_files(home, text)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["tariffs", *map(str, words)], catch_exceptions=False)


async def invoke(*words: str | Path) -> Result:
    return await asyncio.to_thread(run, *words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 50_000, "toml: nested too deep"),
        ("[" * 50_000, "toml: "),
        ("a = " + "9" * 6000, "toml: a number of too many digits"),
        (TERMS.replace("0.10", "0.00"), "line 4, step.value: "),
        (TERMS.replace("HKD", "CNY"), "line 2, currency: CNY where the fares are in HKD"),
    ],
)
def test_terms_that_cannot_be_read_are_one_problem_line(
    tmp_path: Path, text: str, said: str
) -> None:
    terms = tmp_path / "t.toml"
    terms.write_text(text, "utf-8")
    result = run("check", "--terms", terms, *mtr(tmp_path, fares("4.90")))
    assert result.exit_code == 1
    first, count = result.stderr.splitlines()
    assert first.startswith("problem: t.toml") and said in first
    assert count == "1 problem"


@pytest.mark.parametrize("version", ["", "two words", "\x1b[31mred", "a\n", "a" * 5000])
def test_a_name_that_nobody_can_type_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(MalformedInput) as refusal:
        run("check", "--version", version, *mtr(tmp_path, fares("4.90")))
    assert (refusal.value.code, refusal.value.field) == ("bad_version", "--version")


@pytest.mark.parametrize("day", ["0001-01-01", "1989-12-31", "2200-01-01", "9999-12-31"])
def test_a_first_day_of_no_tariff_is_refused(tmp_path: Path, day: str) -> None:
    document = tmp_path / "d.json"
    document.write_bytes(document_of(MTR))
    for files in (mtr(tmp_path, fares("4.90")), (document,)):
        with pytest.raises(MalformedInput) as refusal:
            run("check", "--valid-from", day, *files)
        assert (refusal.value.code, refusal.value.field) == ("bad_day", "--valid-from")


@pytest.mark.parametrize(
    ("terms", "said", "field"),
    [
        ({"caps": (Cap(CapPeriod.DAY, Money(4000, HKD), frozenset({"mtr", "zzz"}), "s"),)},
         "mtr: no tariff of 'zzz' is known", "caps.0.networks"),
        ({"transfers": (Transfer(frozenset({"kmb"}), 90, Money(40, HKD), "s",
          frozenset({"nopay"})),)}, "'nopay' is no wallet", "transfers.0.wallets"),
        ({"code_discounts": (CodeDiscount("nopay", 90, DAY, DAY, "s"),)},
         "'nopay' is no wallet", "code_discounts.0.wallet"),
        ({"wallets": frozenset({"nopay", "alipayhk"})}, "'nopay' is no wallet", "wallets"),
    ],
)  # fmt: skip
async def test_networks_and_wallets_that_are_not_there_are_refused_beside_the_stored_ones(
    home: Path, terms: dict[str, Any], said: str, field: str
) -> None:
    path = home / "d.json"
    path.write_bytes(document_of(replace(MTR, terms=replace(MTR.terms, **terms))))
    assert (await invoke("check", path)).exit_code == 0, "alone it stands"
    for words in (("import", path, "--by", "anna"), ("check", "--stored", path)):
        with pytest.raises(MalformedInput, match=said) as refusal:
            await invoke(*words)
        assert (refusal.value.code, refusal.value.field) == ("bad_tariff", field)
    assert (await invoke("list", "--json")).stdout.strip() == '{"versions": []}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[caps]]\nperiod = "day"\namount = "40.00"\nnetworks = ["mtr", "shenzhen-metro"]\n',
         "line 10, caps.0.networks: shenzhen-metro is in CNY, mtr in HKD"),
        ('[[transfers]]\nafter = ["kmb", "shenzhen-bus"]\nwithin_minutes = 90\noff = "0.40"\n',
         "line 8, transfers.0.after: shenzhen-bus is in CNY, mtr in HKD"),
    ],
)  # fmt: skip
def test_amounts_of_two_currencies_are_never_shared(tmp_path: Path, text: str, said: str) -> None:
    terms = tmp_path / "t.toml"
    terms.write_text(TERMS + text + 'source = "s"\ngrade = "A"\n', "utf-8")
    result = run("check", "--terms", terms, *mtr(tmp_path, fares("4.90")))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"problem: t.toml {said}", "1 problem"]


def test_a_document_gives_no_network_another_currency(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_bytes(document_of(replace(KMB, currency=CNY)))
    result = run("check", path)
    assert result.exit_code == 1
    assert "problem: d.json, currency: CNY, and kmb is in HKD" in result.stderr


async def test_a_network_keeps_its_currency_and_new_ones_may_be_named_once_stored(
    home: Path,
) -> None:
    path = home / "d.json"
    tram = replace(KMB, network="tram", operator="mtr", version="tram-1")
    ride = Transfer(frozenset({"tram"}), 90, Money(40, HKD), "s")
    other = replace(KMB, network="ferry", operator="mtr", version="ferry-1",
                    terms=replace(KMB.terms, transfers=(ride,)))  # fmt: skip
    path.write_bytes(document_of(other))
    with pytest.raises(MalformedInput, match="no tariff of 'tram' is known"):
        await invoke("import", path, "--by", "anna")
    first = home / "tram.json"
    first.write_bytes(document_of(tram))
    assert (await invoke("import", first, "--by", "anna")).exit_code == 0
    assert (await invoke("import", path, "--by", "anna")).exit_code == 0
    turned = replace(tram, version="tram-2", currency=CNY)
    first.write_bytes(document_of(turned))
    with pytest.raises(MalformedInput, match="CNY, and tram is in HKD"):
        await invoke("import", first, "--by", "anna")


async def test_nobody_takes_anothers_network_by_a_document_that_names_them_as_its_operator(
    home: Path, db: Any
) -> None:
    conn = await db.connect("transitpay_gateway")
    await access.enrol_participant(conn, Participant("tram", "operator", "Tram", "HKD"), AT)
    await access.admit_actor(conn, Actor("tess", "T", Role.OPERATOR, "tram"), AT)
    assert all(it.operator == it.network for it in builtin_tariffs()), "as published terms have it"
    path = home / "d.json"
    path.write_bytes(document_of(replace(KMB, network="tram", operator="tram")))
    assert (await invoke("import", path, "--by", "tess")).exit_code == 0
    for network in ("kmb", "tram"):
        taken = replace(KMB, network=network, operator="mtr", version="taken")
        path.write_bytes(document_of(taken))
        with pytest.raises(RuleViolation, match=f"'otto' may not speak for {network}") as refusal:
            await invoke("import", path, "--by", "otto")
        assert refusal.value.code == "forbidden"
    handed = await invoke("import", path, "--by", "anna")
    assert handed.exit_code == 0, "an admin hands a network over"
    path.write_bytes(document_of(replace(KMB, network="tram", operator="mtr", version="next")))
    assert (await invoke("import", path, "--by", "otto")).exit_code == 0


async def test_what_is_unlikely_beside_the_version_before_is_told_and_imported(home: Path) -> None:
    path = home / "d.json"
    for version, minor, odd in (
        ("one", 500, ""),
        ("two", 1510, "look at: fares more than 3 times those before: 1, e.g. 1A 15.10"),
    ):
        tariff = replace(KMB, version=version, fares=FlatFares({"1A": minor}))
        path.write_bytes(document_of(replace(tariff, operator="mtr")))
        checked = await invoke("check", "--stored", path)
        done = await invoke("import", path, "--by", "anna")
        assert (checked.exit_code, done.exit_code) == (0, 0)
        assert odd in checked.stdout and odd in done.stderr
        assert odd or "look at" not in checked.stdout + done.stderr
    again = json.loads((await invoke("check", "--stored", "--json", path)).stdout)
    assert len(again["unlikely"]) == 2


def test_an_octopus_fare_above_the_single_ticket_is_a_warning(tmp_path: Path) -> None:
    assert "warning" not in run("check", *mtr(tmp_path, fares("5.00"))).stderr
    result = run("check", *mtr(tmp_path, fares("5.10")))
    assert result.exit_code == 0
    assert "line 2, OCT_ADT_FARE: 5.10, and a single ticket 5.00" in result.stderr


@pytest.mark.parametrize(
    ("version", "day", "constraint"),
    [
        ("two words", "2027-01-01", "tariff_version_name"),
        ("a" * 201, "2027-01-01", "tariff_version_name"),
        ("a\n", "2027-01-01", "tariff_version_name"),
        ("a", "1989-12-31", "tariff_version_day"),
        ("a", "2200-01-01", "tariff_version_day"),
    ],
)
async def test_the_table_holds_the_same_names_and_days(
    db: Any, version: str, day: str, constraint: str
) -> None:
    conn = await db.connect("transitpay_gateway")
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await conn.execute(
            "insert into tariff_version (network, version, valid_from, sha256, document,"
            " recorded_at) values ('n', $1, $2, $3, '{}', '2027-01-01')",
            version, date.fromisoformat(day), bytes(32),
        )  # fmt: skip
    assert refusal.value.constraint_name == constraint


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_csv_files_end_in_any_way_and_keep_their_numbers(tmp_path: Path, end: str) -> None:
    path = tmp_path / "town-fares.csv"
    words = ["tariffs", "check", "--network", "foshan-bus", "--valid-from", "2027-01-01"]
    for amount, code in (("2.00", 0), ("x", 1)):
        rows = ("kind,route,amount", "flat,1,2.00", f"flat,2,{amount}", "")
        path.write_bytes(end.join(rows).encode())
        result = CliRunner().invoke(cli, [*words, str(path)], catch_exceptions=False)
        assert result.exit_code == code
    assert "town-fares.csv line 3, amount: 'x' is not an amount" in result.stderr
