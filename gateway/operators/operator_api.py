"""What operators and the house's people call: refunds, journeys, statement files, day reports."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import asyncpg

from gateway.http.paging import next_cursor, page, read_cursor
from gateway.http.problems import not_found
from gateway.http.web import Call, Route
from gateway.operators.operator_models import (
    Balance,
    BreakCount,
    ChargeSum,
    DayReport,
    DoubtfulRefund,
    JourneysAnswer,
    JourneysQuery,
    JourneySum,
    LastClosing,
    NetPosition,
    NightStep,
    OpenProposal,
    OperatorJourney,
    RefundAnswer,
    RefundWish,
    RefusedRefund,
    StatementFile,
    StatementsAnswer,
    TapCount,
    WalletClaim,
)
from gateway.riders.showing import fare_lines_of, flags_of
from transitpay.errors import Conflict
from transitpay.postgres import approvals
from transitpay.postgres.journeys import records
from transitpay.postgres.journeys import statements as said
from transitpay.postgres.journeys.records import Row
from transitpay.postgres.money import inboxes
from transitpay.postgres.money.doubtful_refunds import doubtful_refunds
from transitpay.postgres.money.inboxes import RefundRequest
from transitpay.postgres.money.refused_refunds import refused_refunds
from transitpay.postgres.money.wallet_claims import wallet_claims
from transitpay.postgres.reference import Role

_OPERATORS = frozenset({Role.OPERATOR})
#: Who sees the house's books.
HOUSE = frozenset({Role.FINANCE, Role.AUDITOR, Role.ADMIN})
#: So many proposals that wait are shown.
MOST_PROPOSALS = 200


async def ask_refund(call: Call) -> RefundAnswer:
    """Store an operator's wish to give a journey back; settlement decides and does it.

    Raises: RuleViolation (``not_found``), Conflict (``request_repeated``).
    """
    asked, operator = call.body_as(RefundWish), call.participant
    wish = RefundRequest(
        asked.request_id,
        asked.journey_id,
        asked.reason,
        call.caller.actor.id,
        call.services.clock.now(),
    )
    async with call.services.database.transaction() as conn:
        found = await records.journey_of_operator(conn, operator, asked.journey_id)
        if found is None:
            raise not_found("journey")
        fresh = await inboxes.insert_refund_request(conn, wish)
        if fresh:
            await said.read_again(conn, found.rider, found.since, wish.requested_at)
        known = wish if fresh else await inboxes.refund_request(conn, asked.request_id)
    assert known is not None, "the request stands there, ours or an earlier one"
    if (known.journey_id, known.reason) != (asked.journey_id, asked.reason):
        raise Conflict(
            "request_repeated", "this request id was used for another refund", field="request_id"
        )
    return RefundAnswer(request_id=asked.request_id, journey_id=asked.journey_id)


async def journeys(call: Call) -> JourneysAnswer:
    """A page of the operator's journeys of a service day, newest first."""
    asked = call.query_as(JourneysQuery)
    after = read_cursor(asked.cursor)
    async with call.services.database.transaction() as conn:
        rows = await records.operator_journeys(
            conn, call.participant, asked.day, after, asked.limit + 1
        )
    return JourneysAnswer(
        journeys=[_journey(row) for row in page(rows, asked.limit)],
        next_cursor=next_cursor(rows, asked.limit),
    )


def _journey(row: Row) -> OperatorJourney:
    shown = {k: v for k, v in row.items() if k in OperatorJourney.model_fields}
    return OperatorJourney.model_validate(
        {**shown, "flags": flags_of(row), "fare_lines": fare_lines_of(row)}
    )


async def statements(call: Call) -> StatementsAnswer:
    """The files written for the operator."""
    async with call.services.database.transaction() as conn:
        rows = await records.statements(conn, call.participant)
    return StatementsAnswer(statements=[StatementFile.model_validate(row) for row in rows])


async def day_report(call: Call) -> DayReport:
    """Everything about one day that the console shows."""
    day = read_day(call.request.match_info["day"])
    async with call.services.database.transaction() as conn:
        return await report_of(conn, day)


def read_day(text: str) -> date:
    """The day of a path. Raises: RuleViolation (``not_found``) if there is no such day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise not_found("day") from None


async def report_of(conn: asyncpg.Connection, day: date) -> DayReport:
    """The report of a day, as far as it has come."""
    closing = await records.last_closing(conn)
    balances = [Balance.model_validate(row) for row in await records.balances(conn)]
    return DayReport(
        day=day,
        taps=[TapCount.model_validate(r) for r in await records.taps_by_decision(conn, day)],
        journeys=[JourneySum.model_validate(r) for r in await records.journey_sums(conn, day)],
        charges=[ChargeSum.model_validate(r) for r in await records.charge_sums(conn, day)],
        net_positions=[
            NetPosition.model_validate(r) for r in await records.net_positions(conn, day)
        ],
        breaks=[BreakCount.model_validate(r) for r in await records.breaks(conn, day)],
        night=[NightStep.model_validate(r) for r in await records.night_steps(conn, day)],
        balances=balances,
        owed_to_riders=[
            RefusedRefund.model_validate(asdict(it)) for it in await refused_refunds(conn)
        ],
        refunds_in_doubt=[
            DoubtfulRefund.model_validate(asdict(it)) for it in await doubtful_refunds(conn)
        ],
        owed_by_wallets=[
            WalletClaim.model_validate(asdict(it)) for it in await wallet_claims(conn)
        ],
        proposals=[
            OpenProposal.model_validate(asdict(it))
            for it in await approvals.open_proposals(conn, MOST_PROPOSALS)
        ],
        ledger_balanced=balanced(balances),
        last_closing=LastClosing.model_validate(closing) if closing else None,
    )


def balanced(balances: list[Balance]) -> bool:
    """Whether debits equal credits in every currency."""
    sums: dict[str, int] = {}
    for it in balances:
        sums[it.currency] = sums.get(it.currency, 0) + it.debit_minor - it.credit_minor
    return not any(sums.values())


ROUTES = (
    Route(
        "POST", "/v1/operator/refunds", ask_refund, "Ask for a refund", _OPERATORS,
        body=RefundWish, answer=RefundAnswer, status=202,
        errors=("not_found", "request_repeated"),
    ),
    Route(
        "GET", "/v1/operator/journeys", journeys, "Journeys of a service day", _OPERATORS,
        query=JourneysQuery, answer=JourneysAnswer, errors=("bad_cursor",),
    ),
    Route(
        "GET", "/v1/operator/statements", statements, "Statement files", _OPERATORS,
        answer=StatementsAnswer,
    ),
    Route(
        "GET", "/v1/reports/days/{day}", day_report, "One day on one page", HOUSE,
        answer=DayReport, errors=("not_found",),
    ),
)  # fmt: skip
