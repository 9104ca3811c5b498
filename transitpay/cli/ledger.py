"""``transitpay ledger``: proves the books from their own rows, and shows what they hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TypeVar

import click

from transitpay.charging.refund import DoubtfulRefund, RefusedRefund, WalletClaim, owed_sums
from transitpay.clock import instant_text
from transitpay.ledger.balances import is_balanced, unsettled
from transitpay.ledger.digest import FIRST, BookedPosting, Closing, ClosingDigest
from transitpay.money import Money, currency
from transitpay.postgres.closing import books, closings
from transitpay.postgres.money.doubtful_refunds import doubtful_refunds
from transitpay.postgres.money.journal import balances
from transitpay.postgres.money.refused_refunds import refused_refunds
from transitpay.postgres.money.wallet_claims import wallet_claims
from transitpay.postgres.pool import Connection, connect, database_errors
from transitpay.postgres.server.embedded import running_database
from transitpay.runtime.config import Settings

ROLE = "transitpay_auditor"
_LISTED = 20
_STATEMENT_LIMIT_S = 900
_T = TypeVar("_T")


@click.group()
def ledger() -> None:
    """Books: check them."""


@ledger.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Prove that the books are whole: nothing is changed.

    Balanced per currency, every entry with its postings, the digest chain computed again, balances
    of closings, windows and net positions in sum, every tap in one journey at most; what each rider
    paid and owes is what the standing journeys cost, and what ended is taken back whole; who is
    denied owes a refused fare or is suspended, and the deny list says the same.
    What wallets refused to give back is told apart: owed to riders, no problem of the books.

    Exit code 0: all holds. 1: something does not; each finding is named. 3: the database is away.
    """
    settings = Settings.from_environment()
    with running_database(settings):
        found = asyncio.run(_check(settings.dsn(ROLE)))
    click.echo(json.dumps(found, ensure_ascii=False) if as_json else _as_lines(found))
    ctx.exit(1 if found["problems"] else 0)


@ledger.command("refused-refunds")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def refused(as_json: bool) -> None:
    """List what is owed to riders since a wallet refused to give it back, oldest first."""
    found = _look(refused_refunds)
    if as_json:
        _print_rows("owed_to_riders", found)
        return
    for it in found:
        click.echo(f"{it.request_id} {it.wallet} {_owed(it, it.code)} {it.charge_id}")
    click.echo(f"{len(found)} refused refunds are owed to riders")


@ledger.command("wallet-claims")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def claims(as_json: bool) -> None:
    """List what wallets owe because they gave riders money back twice, oldest first."""
    found = _look(wallet_claims)
    if as_json:
        _print_rows("owed_by_wallets", found)
        return
    for it in found:
        click.echo(f"{it.request_id} {it.wallet} {_owed(it, it.why)} {it.attempt_id}")
    click.echo(f"{len(found)} refunds were given back twice")


@ledger.command("doubtful-refunds")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doubtful(as_json: bool) -> None:
    """List refunds that a wallet does not answer, oldest first, and what waits for them."""
    at = Settings.from_environment().clock().now()
    found = _look(doubtful_refunds)
    if as_json:
        click.echo(json.dumps({"refunds_in_doubt": [_doubt(it, at) for it in found]}))
        return
    for it in found:
        unit = currency(it.currency)
        amount, awaiting = Money(it.amount_minor, unit), Money(it.awaiting_minor, unit)
        waits = f", {awaiting} not asked for" if it.awaiting_minor else ""
        waits = ", a correction waits" if it.awaited_since and not waits else waits
        click.echo(f"{it.request_id} {it.wallet} {amount} for {it.age_h(at)} h ({it.code}){waits}")
    click.echo(f"{len(found)} refunds are in doubt")


def _doubt(it: DoubtfulRefund, at: datetime) -> dict[str, object]:
    awaited = instant_text(it.awaited_since)
    return {
        **asdict(it),
        "since": instant_text(it.since),
        "awaited_since": awaited,
        "age_h": it.age_h(at),
    }


def _look(question: Callable[[Connection], Awaitable[_T]]) -> _T:
    settings = Settings.from_environment()
    with running_database(settings):
        return asyncio.run(_read(settings.dsn(ROLE), question))


def _print_rows(name: str, found: Sequence[RefusedRefund] | Sequence[WalletClaim]) -> None:
    rows = [{**asdict(it), "since": instant_text(it.since)} for it in found]
    click.echo(json.dumps({name: rows}, ensure_ascii=False))


def _owed(it: RefusedRefund | WalletClaim, why: str) -> str:
    amount = Money(it.amount_minor, currency(it.currency))
    return f"{amount} {why} since {instant_text(it.since.replace(microsecond=0))}"


async def _read(dsn: str, question: Callable[[Connection], Awaitable[_T]]) -> _T:
    conn = await connect(
        dsn, application_name="transitpay-ledger", statement_timeout_s=_STATEMENT_LIMIT_S
    )
    try:
        with database_errors():
            return await question(conn)
    finally:
        await conn.close()


async def _check(dsn: str) -> dict[str, object]:
    conn = await connect(
        dsn, application_name="transitpay-ledger", statement_timeout_s=_STATEMENT_LIMIT_S
    )
    try:
        with database_errors():
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                return await check_books(conn)
    finally:
        await conn.close()


async def check_books(conn: Connection) -> dict[str, object]:
    """What the books hold and every problem found, from one snapshot."""
    held = await balances(conn)
    problems = [] if is_balanced(held) else ["the books are not balanced"]
    for question in books.QUESTIONS:
        rows = await books.answers(conn, question)
        problems += [f"{question.says}: {row}" for row in rows[:_LISTED]]
        if len(rows) > _LISTED:
            problems.append(f"{question.says}: {len(rows) - _LISTED} more")
    closed = await closings.closings(conn)
    problems += await _chain_problems(conn, closed)
    counts = await books.counts(conn)
    return {
        "balanced": is_balanced(held),
        "entries": counts["entries"],
        "postings": counts["postings"],
        "closed_entries": counts["closed_entries"],
        "closings": [
            {"number": c.number, "day": c.day.isoformat(), "digest": c.digest.hex()} for c in closed
        ],
        "unsettled": [
            {"account": name, "currency": str(unit), "balance_minor": amount.minor}
            for (name, unit), amount in sorted(unsettled(held).items(), key=str)
        ],
        "balances": [
            {"account": name, "currency": str(unit), "balance_minor": amount.minor}
            for (name, unit), amount in sorted(held.items(), key=str)
        ],
        "owed_to_riders": [
            {"wallet": wallet, "currency": unit, "amount_minor": minor}
            for wallet, unit, minor in owed_sums(await refused_refunds(conn))
        ],
        "problems": problems,
    }


async def _chain_problems(conn: Connection, closed: Sequence[Closing]) -> list[str]:
    problems = []
    previous, number = FIRST, 1
    for closing in closed:
        if closing.number != number:
            problems.append(f"closing {number} is missing before {closing.number}")
        if closing.previous != previous:
            problems.append(f"closing {closing.number} is not chained to the one before")
        digest, entries = await _digest(closing, closings.closed_postings(conn, closing.number))
        if digest != closing.digest:
            problems.append(f"closing {closing.number}: its entries do not give its digest")
        if entries != closing.entries:
            problems.append(
                f"closing {closing.number} has {entries} entries, not {closing.entries}"
            )
        previous, number = closing.digest, closing.number + 1
    return problems


async def _digest(closing: Closing, postings: AsyncIterator[BookedPosting]) -> tuple[bytes, int]:
    digest = ClosingDigest(closing.previous)
    entries = last = 0
    async for posting in postings:
        digest.add(posting)
        entries += posting.entry_id != last
        last = posting.entry_id
    return digest.digest(), entries


def _as_lines(found: dict[str, object]) -> str:
    lines = [
        f"entries {found['entries']}, postings {found['postings']},"
        f" closed entries {found['closed_entries']}"
    ]
    closed = found["closings"]
    assert isinstance(closed, list)
    lines += [f"closing {c['number']} {c['day']} {c['digest']}" for c in closed]
    waiting = found["unsettled"]
    assert isinstance(waiting, list)
    lines += [f"unsettled {w['account']} {_amount(w, 'balance_minor')}" for w in waiting]
    owed = found["owed_to_riders"]
    assert isinstance(owed, list)
    lines += [
        f"owed to riders, refused by {o['wallet']}: {_amount(o, 'amount_minor')}" for o in owed
    ]
    problems = found["problems"]
    assert isinstance(problems, list)
    lines += [f"PROBLEM {p}" for p in problems]
    lines.append("the books are whole" if not problems else f"{len(problems)} problems")
    return "\n".join(lines)


def _amount(line: dict[str, object], of: str) -> str:
    minor = line[of]
    assert isinstance(minor, int)
    return str(Money(minor, currency(str(line["currency"]))))
