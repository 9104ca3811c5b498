"""``transitpay ledger check``: whole books are called whole, and each damage is named."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "settlement"))

from night_seed import CLOSE_AT, DAY, NOON, Ride, refund, ride, take_part

from settlement.closing.close_day import close_day
from transitpay.cli import main
from transitpay.cli.ledger import check_books
from transitpay.ledger.bookings import given_twice
from transitpay.money import CNY, Money
from transitpay.postgres.money.journal import add_entries
from transitpay.postgres.trust.denials import apply_deny_requests

#: A refund of all that was paid for journey j-c, in this state.
_DOUBTFUL = (
    "insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency,"
    " reason, body, state, created_at, result_code)"
    " select 'x-r', c.id, a.request_id, c.amount_minor, c.currency, 'x', '', '{state}',"
    " c.created_at, 'timeout' from charge c"
    " join charge_attempt a on a.charge_id = c.id where c.journey_id = 'j-c'"
)
#: The wallet refused what is asked for journey j-c; the charge's state, and whether it denies.
_REFUSED = (
    "update charge set state = '{state}', denies_rider = {denies}, refused_since = created_at,"
    " refused_code = 'USER_BALANCE_NOT_ENOUGH' where journey_id = 'j-c'"
)
#: A word that the rider of journey j-c is denied.
_WORD = (
    "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
    " select issuer, rider_id, 'deny', 'arrears', cleared_at from journey where id = 'j-c'"
)


@pytest.fixture
async def owner(db: Any) -> Any:
    """Two closed days and an open booking; the superuser, who may do damage."""
    owner = await db.connect()
    await take_part(owner)
    conn = await db.connect("transitpay_settlement")
    await ride(conn, Ride("a"))
    await ride(conn, Ride("b", "alipay"))
    await close_day(conn, DAY, CLOSE_AT)
    await refund(conn, Ride("a"), NOON + timedelta(days=1))
    await close_day(conn, DAY + timedelta(days=1), CLOSE_AT + timedelta(days=1))
    await ride(conn, Ride("c", at=NOON + timedelta(days=2)))
    return owner


async def problems(db: Any) -> list[str]:
    conn = await db.connect("transitpay_auditor")
    async with conn.transaction():
        found = await check_books(conn)
    assert isinstance(found["problems"], list)
    return found["problems"]


async def test_whole_books_have_no_problem(db: Any, owner: Any) -> None:
    assert await problems(db) == []


async def test_a_debt_a_word_and_an_entry_that_agree_are_whole(db: Any, owner: Any) -> None:
    await owner.execute(_REFUSED.format(state="ARREARS", denies=True))
    await owner.execute(_WORD)
    denials = "or is denied for nothing", "not the newest word", "denies its rider and should"

    async def found() -> list[str]:
        return [it for it in await problems(db) if any(named in it for named in denials)]

    assert await found() == [], "the gateway has not applied the word yet"
    gateway = await db.connect("transitpay_gateway")
    assert await apply_deny_requests(gateway, NOON) == 1
    assert await owner.fetchval("select barred_serial from deny_entry") is not None
    assert await found() == []
    await owner.execute(
        _REFUSED.format(state="ARREARS", denies=False).replace(
            "USER_BALANCE_NOT_ENOUGH", "CURRENCY_NOT_SUPPORT"
        )
    )
    assert len(await found()) == 1, "that refusal denies nobody, and so the word is for nothing"


async def test_empty_books_are_whole(db: Any) -> None:
    assert await problems(db) == []


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (
            "update posting set amount_minor = 1 where n = 1",
            "do not give its digest",
        ),
        ("update entry set at = at + interval '1 second'", "do not give its digest"),
        ("delete from posting where entry_id = 1", "an entry without postings"),
        ("update closing set previous_digest = digest where number = 2", "is not chained"),
        ("delete from closed_entry where entry_id = 1", "closing 1 has"),
        ("update closing_balance set debit_minor = debit_minor + 1", "a closing balance"),
        (
            "update net_position set amount_minor = amount_minor + 1 where participant = 'mtr'",
            "do not sum to zero",
        ),
        (
            "update window_item set amount_minor = 1 where item_kind = 'fare'",
            "items are not its net position",
        ),
        ("delete from open_item where kind = 'operator'", "the sum of its open items"),
        ("delete from journey_tap", "a journey without taps"),
        (
            "update journey set ended_at = cleared_at, ended_why = 'x'",
            "a journey that has ended and still has taps",
        ),
        (
            "update journey set fare_minor = fare_minor + 1 where ended_at is null",
            "a journey whose bookings are not its fare",
        ),
        (
            "insert into journey (id, key, revision, issuer, rider_id, slot, network, operator,"
            " kind, state, priced_at, service_day, cleared_at, fare_minor, fare_currency,"
            " fare_lines, tariff_version) select key || '~2', key, 2, issuer, rider_id, slot,"
            " network, operator, kind, state, priced_at, service_day, cleared_at, fare_minor,"
            " fare_currency, fare_lines, tariff_version from journey",
            "beside another revision of its key",
        ),
        (
            "update charge_part set amount_minor = 4790",
            "a charge whose parts are not what it holds or asks for",
        ),
        (
            "update charge set awaits_refund = 'x-r', state = 'DUE', next_at = null"
            " where journey_id = 'j-c'; " + _DOUBTFUL.format(state="REFUNDED"),
            "a debt that awaits a refund which has ended",
        ),
        (
            "update charge_part set journey_id = 'j-a' where journey_id = 'j-c'",
            "a journey that is not paid for by the parts of charges",
        ),
        (
            "update journey set charge_minor = charge_minor + 1 where id = 'j-c'",
            "a rider whose money is not what the standing journeys cost",
        ),
        (
            "update journey set fare_minor = fare_minor + 1 where id = 'j-c'",
            "a journey whose bookings are not its fare",
        ),
        (
            "update journey set ended_at = null, ended_why = null where id = 'j-a'",
            "is not taken back once, or one that stands and is",
        ),
        (
            "update entry set key = 'captured:x', kind = 'x' where key = 'captured:c-1'",
            "a captured attempt that is not booked",
        ),
        (
            _DOUBTFUL.format(state="REFUNDED")
            + "; update charge_attempt set state = 'CANCELLED' where request_id = 'c-1'",
            "a refund of a payment that was cancelled whole and is not claimed",
        ),
        (_REFUSED.format(state="CAPTURED", denies=True), "a debt that denies its rider and should"),
        (_REFUSED.format(state="ARREARS", denies=False), "a debt that denies its rider and should"),
        (_REFUSED.format(state="ARREARS", denies=True), "owes or is suspended and was not told"),
        (_WORD, "or is denied for nothing"),
        (
            "insert into suspension (issuer, rider_id, network, why, counted, days, more_than,"
            " since, noticed_at) select issuer, rider_id, 'mtr', 'evasion', 11, 365, 10,"
            " cleared_at, cleared_at from journey where id = 'j-c'",
            "owes or is suspended and was not told",
        ),
        (
            _WORD + "; insert into issuer_number (issuer) values ('shenzhen-tong'); insert into"
            " deny_request_done (request, at) select id, requested_at from deny_request",
            "that is not the newest word on its rider",
        ),
        (
            "insert into issuer_number (issuer) values ('shenzhen-tong'); insert into deny_entry"
            " (issuer, rider_id, version, barred_serial) values"
            " ('shenzhen-tong', '0123456789abcdef', 1, 7)",
            "that is not the newest word on its rider",
        ),
    ],
)
async def test_each_damage_is_named(db: Any, owner: Any, damage: str, named: str) -> None:
    await owner.execute("set session_replication_role = replica")
    await owner.execute(damage)
    assert [p for p in await problems(db) if named in p]


def test_the_command_says_it_in_one_object_and_by_its_exit_code(
    db_with_books: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in db_with_books.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["transitpay", "ledger", "check", "--json"])
    with pytest.raises(SystemExit) as done:
        main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (done.value.code or 0, found["balanced"], found["problems"]) == (0, True, [])
    assert [c["number"] for c in found["closings"]] == [1, 2]


def test_refunds_that_wallets_refused_are_listed_and_their_sum_is_told(
    db_with_refused_refund: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in db_with_refused_refund.settings.environment().items():
        monkeypatch.setenv(name, value)
    told = []
    for command in ("check", "refused-refunds"):
        monkeypatch.setattr("sys.argv", ["transitpay", "ledger", command])
        with pytest.raises(SystemExit):
            main()
        told.append(capsys.readouterr().out)
    check, listed = told
    assert "owed to riders, refused by shenzhen-tong: CNY 47.91" in check
    assert " REFUND_WINDOW_EXCEED since " in listed
    assert "1 refused refunds are owed to riders" in listed


def test_what_wallets_gave_back_twice_is_listed(
    db_with_claim: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in db_with_claim.settings.environment().items():
        monkeypatch.setenv(name, value)
    told = []
    for more in ((), ("--json",)):
        monkeypatch.setattr("sys.argv", ["transitpay", "ledger", "wallet-claims", *more])
        with pytest.raises(SystemExit):
            main()
        told.append(capsys.readouterr().out)
    assert "x-r shenzhen-tong CNY 47.91 cancelled_and_refunded since " in told[0]
    assert "1 refunds were given back twice" in told[0]
    [found] = json.loads(told[1].splitlines()[-1])["owed_by_wallets"]
    assert (found["attempt_id"], found["amount_minor"]) == ("c-1", 4791)


@pytest.fixture
async def db_with_claim(db: Any, owner: Any) -> Any:
    await owner.execute(_DOUBTFUL.format(state="REFUNDED"))
    twice = given_twice("shenzhen-tong", Money(4791, CNY), NOON, "x-r", "c")
    await add_entries(owner, [twice])
    return db


def test_refunds_in_doubt_are_listed_with_their_age(
    db_with_doubtful_refund: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in db_with_doubtful_refund.settings.environment().items():
        monkeypatch.setenv(name, value)
    told = []
    for more in ((), ("--json",)):
        monkeypatch.setattr("sys.argv", ["transitpay", "ledger", "doubtful-refunds", *more])
        with pytest.raises(SystemExit):
            main()
        told.append(capsys.readouterr().out)
    assert "x-r shenzhen-tong CNY 47.91 for " in told[0] and " h (timeout)\n" in told[0]
    assert "1 refunds are in doubt" in told[0]
    [found] = json.loads(told[1].splitlines()[-1])["refunds_in_doubt"]
    assert found["age_h"] >= 0 and found["awaited_since"] is None and found["awaiting_minor"] == 0


@pytest.fixture
async def db_with_doubtful_refund(db: Any, owner: Any) -> Any:
    await owner.execute(_DOUBTFUL.format(state="UNKNOWN"))
    return db


@pytest.fixture
async def db_with_refused_refund(db: Any, owner: Any) -> Any:
    await owner.execute("delete from charge_part where journey_id = 'j-c'")
    await owner.execute(
        "insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency,"
        " reason, body, state, created_at, result_code)"
        " select 'x-r', c.id, a.request_id, c.amount_minor, c.currency, 'x', '', 'REFUSED',"
        " c.created_at, 'REFUND_WINDOW_EXCEED' from charge c"
        " join charge_attempt a on a.charge_id = c.id where c.journey_id = 'j-c'"
    )
    return db


@pytest.fixture
async def db_with_books(db: Any, owner: Any) -> Any:
    return db
