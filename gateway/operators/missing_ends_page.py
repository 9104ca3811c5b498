"""Journeys with a missing end on one page: what is missing, corrections that wait or are withdrawn.

An operator's people propose, approve and withdraw as by the API; the house's people only read.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qsl

import asyncpg
from aiohttp import web
from pydantic import ValidationError

from gateway.http.web import Call, Route
from gateway.operators.console import PEOPLE, render_page
from gateway.operators.correction_api import (
    ApprovalWish,
    JourneyCorrectionWish,
    WithdrawalWish,
    shown,
)
from gateway.operators.operator_api import read_day
from gateway.riders.showing import Names
from transitpay.clock import service_day
from transitpay.errors import Conflict, RuleViolation
from transitpay.postgres.approvals import Withdrawal
from transitpay.postgres.journeys import corrections, missing_ends
from transitpay.postgres.journeys.corrections import Correction, Stage
from transitpay.postgres.reference import Role
from transitpay.runtime.corrections import (
    CorrectionWish,
    approve_correction,
    propose_correction,
    withdraw_correction,
)

_PATH = "/console/missing-ends"
_MOST, _WITHDRAWN = 200, 20
#: What the form calls its fields.
_LABELS = {"request_id": "Your key", "journey_id": "Journey", "stop": "Station", "reason": "Why"}


async def show_missing_ends(call: Call) -> web.Response:
    """The service day of ``?day=``, today without it. Raises: RuleViolation (``not_found``)."""
    text = call.request.query.get("day", "")
    day = read_day(text) if text else service_day(call.services.clock.now())
    return await _page(call, day, {})


async def take_correction(call: Call) -> web.Response:
    """A form of the page: a proposal, or with ``approve`` or ``withdraw`` the id of one."""
    fields = dict(parse_qsl(call.raw.decode("utf-8", "replace"), max_num_fields=8))
    now = call.services.clock.now()
    day_text = fields.pop("day", "")
    day = read_day(day_text) if day_text else service_day(now)
    operator, by = call.participant, call.caller.actor.id

    async def work(conn: asyncpg.Connection) -> Correction:
        if "approve" in fields:
            asked = ApprovalWish.model_validate({"request_id": fields["approve"]})
            return await approve_correction(conn, operator, asked.request_id, by, now)
        if "withdraw" in fields:
            names = {"request_id": fields["withdraw"], "reason": fields.get("reason")}
            end = WithdrawalWish.model_validate(names)
            word = Withdrawal(by, now, end.reason)
            return await withdraw_correction(conn, operator, end.request_id, word)
        wish = JourneyCorrectionWish.model_validate(fields)
        proposal = CorrectionWish(
            operator, wish.request_id, wish.journey_id, wish.stop, wish.reason, by
        )
        return await propose_correction(conn, proposal, now)

    try:
        await call.services.database.run(work)
    except ValidationError:
        return await _page(call, day, fields, "Fill in every field of the form.", 400)
    except (RuleViolation, Conflict) as refusal:
        label = _LABELS.get(refusal.field or "")
        problem = f"{label}: {refusal.message}" if label else refusal.message
        return await _page(call, day, fields, problem, 422)
    return web.Response(status=303, headers={"Location": f"{_PATH}?day={day}"})


async def _page(
    call: Call, day: date, typed: dict[str, str], problem: str | None = None, status: int = 200
) -> web.Response:
    """``typed`` is what a refused proposal said; it is not lost."""
    is_proposal = not {"approve", "withdraw"} & typed.keys()
    actor = call.caller.actor
    operator = call.participant if actor.role is Role.OPERATOR else None
    async with call.services.database.transaction() as conn:
        missing = await missing_ends.missing_on(conn, operator, day, _MOST)
        waiting, withdrawn = [
            await corrections.corrections(conn, operator, stage=stage, limit=most)
            for stage, most in ((Stage.WAITING, _MOST), (Stage.WITHDRAWN, _WITHDRAWN))
        ]
        stops = {(row["network"], stop): row["at"] for row in missing
                 for stop in (row["stop"], *(row["filled_stops"] or ()))}  # fmt: skip
        stops |= {(it.said.network, it.said.stop): it.said.stated_at for it in waiting + withdrawn}
        known = await Names.of(
            conn, call.services.places.current, [(*it, stops[it]) for it in stops]
        )
    return render_page(
        "missing_ends.html",
        status=status,
        day=day,
        actor=actor,
        writes=operator is not None,
        missing=missing,
        names={
            (network, stop): known.text(network, stop, at) for (network, stop), at in stops.items()
        },
        typed={name: typed.get(name, "") if is_proposal else "" for name in _LABELS},
        waiting=[shown(it) for it in waiting],
        withdrawn=[shown(it) for it in withdrawn],
        now=call.services.clock.now(),
        most=_MOST,
        problem=problem,
    )


ROUTES = (
    Route(
        "GET", _PATH, show_missing_ends, "Journeys with a missing end", PEOPLE, page=True,
        media="text/html", also=(303,), errors=("not_found",),
    ),
    Route(
        "POST", _PATH, take_correction, "Propose, approve or withdraw",
        frozenset({Role.OPERATOR}), page=True, raw_body=True, status=303,
        errors=("not_found", "not_incomplete"),
    ),
)  # fmt: skip
