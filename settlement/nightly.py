"""The night's command: every ready step of every unfinished day, as often as one likes.

It is scheduled at 00:30 (close, net, write statements) and 08:30 (fetch, match); run again it
changes nothing that is done. One night runs at a time: a second waits, then says so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import aiohttp
import click

from settlement.closing.night_report import day_report, write_report
from settlement.closing.report import DayReport, as_json
from settlement.collecting.charge_wallets import policy_of
from settlement.collecting.partners import Partners
from settlement.night_steps import Night, StepState, run_day
from settlement.reconciling.match_run import open_engine
from transitpay.errors import MalformedInput, TemporarilyUnavailable
from transitpay.money import Money, currency
from transitpay.postgres.closing import closings, night
from transitpay.postgres.pool import Connection, connect, database_errors, open_pool
from transitpay.postgres.server.embedded import running_database
from transitpay.runtime.config import Settings
from transitpay.runtime.observe import configure_logging

ROLE = "transitpay_settlement"
CLEAN, BREAKS, LATE, FAILED = 0, 1, 2, 3
_STATEMENT_LIMIT_S = 900
_LOCK_PAUSE_S = 0.2
#: A gap of more days than this is a mistake in ``--day``.
_MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class NightResult:
    """What a night came to, day by day."""

    day: date
    at: datetime
    reports: tuple[DayReport, ...]
    break_limit: int

    @property
    def exit_code(self) -> int:
        """3 a step failed, 2 one waits past its deadline, 1 breaks above the limit, 0 clean."""
        steps = [s for report in self.reports for s in report.steps]
        if any(s.state == StepState.FAILED for s in steps):
            return FAILED
        if any(s.state == StepState.WAITING and _is_late(s.wait_until, self.at) for s in steps):
            return LATE
        return BREAKS if self.open_breaks > self.break_limit else CLEAN

    @property
    def open_breaks(self) -> int:
        return sum(report.open_breaks for report in self.reports)


async def run_night(
    settings: Settings, day: date, at: datetime, *, break_limit: int = 0, wait_s: float = 60.0
) -> NightResult:
    """Do what is ready, for every unfinished day up to ``day``, at the business instant ``at``.

    Raises: TemporarilyUnavailable (``night_running``, or the database is away).
    """
    dsn = settings.dsn(ROLE)
    conn = await connect(
        dsn, application_name="transitpay-nightly", statement_timeout_s=_STATEMENT_LIMIT_S
    )
    pool = await open_pool(settings, ROLE, max_size=2, application_name="transitpay-nightly")
    try:
        with database_errors():
            await _lock(conn, wait_s)
            async with aiohttp.ClientSession() as session:
                clock = settings.clock()
                partners = Partners(settings.home, session, clock)
                await partners.refresh(pool)
                policy = policy_of(settings, clock.speed)
                with closing(open_engine()) as engine:
                    home = settings.home
                    it = Night(conn, partners, session, clock, home, policy, engine, at)
                    reports = await _all_days(it, day)
    finally:
        pool.terminate()
        conn.terminate()
    return NightResult(day, at, tuple(reports), break_limit)


async def _all_days(it: Night, through: date) -> list[DayReport]:
    """The report of each day that was unfinished, and of ``through`` in any case."""
    reports = []
    for day in _from_to(await _first_day(it.conn, through), through):
        going_on = await run_day(it, day)
        report = await day_report(it.conn, day)
        write_report(report, it.home)
        reports.append(report)
        if not going_on:
            break
    return reports


async def _first_day(conn: Connection, through: date) -> date:
    """The earliest day with something to do: not closed yet, or with a step that is not done."""
    last = await closings.last_closing(conn)
    first = last.day + timedelta(days=1) if last else await closings.first_day(conn)
    undone = await night.first_unfinished(conn, through)
    found = min(d for d in (first, undone, through) if d is not None)
    if (through - found).days > _MOST_DAYS:
        raise MalformedInput("too_many_days", f"{found} is the first unfinished day", field="--day")
    return found


def _from_to(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


async def _lock(conn: Connection, wait_s: float) -> None:
    tries = int(wait_s / _LOCK_PAUSE_S) + 1
    for _ in range(tries):
        if await conn.fetchval("select pg_try_advisory_lock($1)", night.NIGHT_LOCK):
            return
        await asyncio.sleep(_LOCK_PAUSE_S)
    raise TemporarilyUnavailable("night_running", f"another night still runs after {wait_s:g} s")


def _is_late(until: datetime | None, at: datetime) -> bool:
    return until is not None and at > until


@click.command()
@click.option("--day", "day_text", required=True, help="The business day, YYYY-MM-DD.")
@click.option("--at", "at_text", help="The business instant, ISO 8601 with offset; default now.")
@click.option("--break-limit", default=0, show_default=True, help="Open breaks that are no alarm.")
@click.option("--wait-s", default=60.0, show_default=True, help="How long another night may run.")
@click.option("--json", "as_json_text", is_flag=True, help="Print one JSON object.")
@click.pass_context
def nightly(
    ctx: click.Context,
    day_text: str,
    at_text: str | None,
    break_limit: int,
    wait_s: float,
    as_json_text: bool,
) -> None:
    """Close, net, fetch and reconcile: every ready step of every unfinished day up to --day.

    Exit code 0: clean, waiting steps are within their time. 1: more open breaks than the limit.
    2: a step waits past its deadline. 3: a step failed, or a service is away.
    """
    settings = Settings.from_environment()
    configure_logging(settings, "nightly")
    day, at = _day(day_text), _instant(at_text) if at_text else settings.clock().now()
    with running_database(settings):
        result = asyncio.run(run_night(settings, day, at, break_limit=break_limit, wait_s=wait_s))
    click.echo(_as_one_object(result) if as_json_text else _as_lines(result))
    ctx.exit(result.exit_code)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedInput("bad_day", f"{text!r} is not YYYY-MM-DD", field="--day") from None


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError
    except ValueError:
        raise MalformedInput(
            "bad_time", f"{text!r} is not ISO 8601 with an offset", field="--at"
        ) from None
    return at


def _as_one_object(result: NightResult) -> str:
    said = {
        "day": result.day.isoformat(),
        "at": result.at.isoformat(),
        "exit_code": result.exit_code,
        "open_breaks": result.open_breaks,
        "days": [as_json(report) for report in result.reports],
    }
    return json.dumps(said, ensure_ascii=False, default=str)


def _as_lines(result: NightResult) -> str:
    lines = []
    for report in result.reports:
        digest = f", digest {report.closing.digest.hex()[:16]}" if report.closing else ""
        lines.append(f"{report.day}: {report.open_breaks} open breaks{digest}")
        for step in report.steps:
            until = f" until {step.wait_until.isoformat()}" if step.wait_until else ""
            reason = f" ({step.reason})" if step.reason else ""
            lines.append(f"  {step.step:<10} {step.participant:<16} {step.state}{until}{reason}")
    for it in result.reports[-1].refused_refunds if result.reports else ():
        amount = Money(it.amount_minor, currency(it.currency))
        lines.append(f"owed to riders: {it.wallet} refused {it.request_id}, {amount} ({it.code})")
    for claim in result.reports[-1].wallet_claims if result.reports else ():
        amount = Money(claim.amount_minor, currency(claim.currency))
        lines.append(f"owed by {claim.wallet}: {claim.request_id}, {amount} ({claim.why})")
    for doubt in result.reports[-1].doubtful_refunds if result.reports else ():
        amount, age_h = Money(doubt.amount_minor, currency(doubt.currency)), doubt.age_h(result.at)
        lines.append(f"in doubt: {doubt.wallet}, {doubt.request_id}, {amount}, for {age_h} h")
    return "\n".join(lines)
