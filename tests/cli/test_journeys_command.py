"""``transitpay journeys`` corrects journeys in the same tables as the operators' API."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from transitpay.cli import cli
from transitpay.errors import Conflict, RuleViolation
from transitpay.fares.highest import HighestFare
from transitpay.fares.shown import JourneyTerms
from transitpay.money import HKD, Money
from transitpay.postgres.gates import stop_fares
from transitpay.postgres.journeys import shown_tariffs
from transitpay.postgres.reference import Actor, Participant, Role
from transitpay.runtime import access

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
DAY, BEGINS = date(2026, 10, 30), date(2026, 1, 1)
JOURNEY = "2026-10-30/g1/7"
CORRECT = (
    "correct", "c1", "--operator", "mtr", "--by", "first", "--journey", JOURNEY, "--stop",
    "Lok Ma Chau", "--reason", "seen by staff", "--json",
)  # fmt: skip
APPROVE = ("approve", "c1", "--operator", "mtr", "--json")


@pytest.fixture
async def home(db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    conn = await db.connect("transitpay_gateway")
    for operator in ("mtr", "kmb"):
        await access.enrol_participant(conn, Participant(operator, "operator", "O", "HKD"), AT)
    for name, operator in (("first", "mtr"), ("second", "mtr"), ("other", "kmb")):
        await access.admit_actor(conn, Actor(name, name, Role.OPERATOR, operator), AT)
    await access.admit_actor(conn, Actor("admin", "admin", Role.ADMIN), AT)
    settlement = await db.connect("transitpay_settlement")
    fare = HighestFare("mtr", "78", BEGINS, ("lokmachau",), Money(5220, HKD))
    await stop_fares.put_stop_fares(settlement, [fare], AT)
    stay = AT - AT.replace(hour=0)
    await shown_tariffs.put_shown(settlement, [], [JourneyTerms("mtr", BEGINS, stay, 3, 14)], AT)
    await settlement.execute(
        "insert into journey (id, key, issuer, rider_id, slot, network, operator, kind, state,"
        " reason, entry_stop, entry_at, priced_at, service_day, cleared_at, fare_minor,"
        " fare_currency, fare_lines, tariff_version) values ($1, $1, 'w', '00', 0, 'mtr', 'mtr',"
        " 'entry_exit', 'incomplete', 'missing_exit', '2', $2, $2, $3, $2, 6600, 'HKD', '[]', 'v')",
        JOURNEY, AT, DAY,
    )  # fmt: skip
    await settlement.execute("insert into journey_tap values ($1, 'g1', 7, $2)", DAY, JOURNEY)
    for name, value in db.settings.environment().items():
        monkeypatch.setenv(name, value)
    return db


async def run(*words: str) -> Any:
    def once() -> Any:
        return CliRunner().invoke(cli, ["journeys", *words], catch_exceptions=False)

    result = await asyncio.to_thread(once)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


async def test_a_correction_is_proposed_approved_by_another_and_listed(home: Any) -> None:
    made = await run(*CORRECT)
    assert (made["journey"], made["stop"], made["approved_by"]) == (JOURNEY, "78", None)
    assert await run(*CORRECT) == made, "twice is once"
    assert len((await run("list", "--waiting", "--json"))["corrections"]) == 1
    done = await run(*APPROVE, "--by", "second")
    assert (done["proposed_by"], done["approved_by"]) == ("first", "second")
    assert await run(*APPROVE, "--by", "second") == done
    assert (await run("list", "--waiting", "--json"))["corrections"] == []
    assert (await run("list", "--operator", "mtr", "--json"))["corrections"] == [done]
    assert (await run("list", "--operator", "kmb", "--json"))["corrections"] == []


@pytest.mark.parametrize(("by", "code"), [("first", "four_eyes"), ("other", "forbidden")])
async def test_only_another_person_of_the_operator_approves(home: Any, by: str, code: str) -> None:
    await run(*CORRECT)
    with pytest.raises(RuleViolation) as refused:
        await run(*APPROVE, "--by", by)
    assert refused.value.code == code


WITHDRAW = ("withdraw", "c1", "--operator", "mtr", "--reason", "another gate", "--json")


async def test_a_correction_is_withdrawn_and_proposed_anew_under_another_id(home: Any) -> None:
    await run(*CORRECT)
    done = await run(*WITHDRAW, "--by", "first")
    assert (done["withdrawn_by"], done["withdrawn_why"]) == ("first", "another gate")
    assert await run(*WITHDRAW, "--by", "second") == done, "twice is once"
    assert (await run("list", "--waiting", "--json"))["corrections"] == []
    assert (await run("list", "--json"))["corrections"] == [done]
    for words in ((*APPROVE, "--by", "second"), CORRECT):
        with pytest.raises(Conflict) as refused:
            await run(*words)
        assert refused.value.code == "already_withdrawn"
    again = await run("correct", "c2", *CORRECT[2:])
    assert (again["withdrawn_by"], again["approved_by"]) == (None, None)


async def told(*words: str) -> Any:
    def once() -> Any:
        return CliRunner().invoke(cli, ["journeys", *words])

    return await asyncio.to_thread(once)


async def test_a_refusal_is_one_json_object_too(home: Any) -> None:
    await run(*CORRECT)
    await run(*APPROVE, "--by", "second")
    result = await told(*WITHDRAW, "--by", "second")
    assert isinstance(result.exception, Conflict)
    assert json.loads(result.stdout)["refused"] == "already_approved"


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 201])
async def test_a_reason_is_one_line_for_people(home: Any, reason: str) -> None:
    await run(*CORRECT)
    for words in (CORRECT[:-3], ("withdraw", "c1", "--operator", "mtr", "--by", "first")):
        result = await told(*words, "--reason", reason)
        assert result.exit_code == 2 and "1 to 200 characters on one line" in result.stderr
    assert len((await run("list", "--waiting", "--json"))["corrections"]) == 1


async def test_the_list_tells_people_how_long_a_correction_waits_or_why_it_ended(home: Any) -> None:
    await run(*CORRECT)
    owner = await home.connect()
    await owner.execute("set session_replication_role = replica")
    await owner.execute("update journey_statement set stated_at = stated_at - interval '51 hours'")
    assert "  waits=2 d 3 h\n" in (await told("list")).stdout
    await run(*WITHDRAW, "--by", "second")
    shown = (await told("list")).stdout
    assert "withdrawn_why=another gate" in shown and "waits" not in shown


async def test_people_read_the_correction_line_by_line(home: Any) -> None:
    def once() -> Any:
        return CliRunner().invoke(cli, ["journeys", *CORRECT[:-1]], catch_exceptions=False)

    result = await asyncio.to_thread(once)
    assert f"journey: {JOURNEY}\n" in result.stdout and "stop: 78\n" in result.stdout


async def test_a_suspension_is_listed_and_a_person_lets_the_rider_go(home: Any) -> None:
    settlement = await home.connect("transitpay_settlement")
    number = await settlement.fetchval(
        "insert into suspension (issuer, rider_id, network, why, counted, days, more_than, since,"
        " until, noticed_at) values ('w', '00', 'mtr', 'evasion', 11, 365, 10, $1, null, $1)"
        " returning id",
        AT,
    )
    [shown] = (await run("suspensions", "--json"))["suspensions"]
    assert (shown["suspension"], shown["why"], shown["until"]) == (number, "evasion", None)
    assert (await run("suspensions", "--operator", "kmb", "--json"))["suspensions"] == []
    words = ("let-go", str(number), "--by", "admin", "--reason", "talked to", "--json")
    done = await run(*words)
    assert (done["let_go_by"], done["end_reason"]) == ("admin", "talked to")
    assert await run(*words) == done
    assert await settlement.fetchval("select count(*) from tap_inbox") == 1


@pytest.mark.parametrize(("by", "code"), [("other", "not_found"), ("nobody", "forbidden")])
async def test_only_an_admin_or_the_networks_operator_lets_a_rider_go(
    home: Any, by: str, code: str
) -> None:
    settlement = await home.connect("transitpay_settlement")
    number = await settlement.fetchval(
        "insert into suspension (issuer, rider_id, network, why, counted, days, more_than, since,"
        " until, noticed_at) values ('w', '00', 'mtr', 'evasion', 11, 365, 10, $1, null, $1)"
        " returning id",
        AT,
    )
    with pytest.raises(RuleViolation) as refused:
        await run("let-go", str(number), "--by", by, "--reason", "talked to", "--json")
    assert refused.value.code == code
