"""Reports a day of the night: its steps, net positions, runs and breaks as JSON, CSV and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from settlement.closing.csv_text import csv_text, major
from transitpay.charging.refund import DoubtfulRefund, RefusedRefund, WalletClaim
from transitpay.ledger.digest import Closing
from transitpay.ledger.night import StoredBreak, StoredRun, StoredStep

_BREAK_COLUMNS = (
    "wallet",
    "day",
    "number",
    "kind",
    "state",
    "row",
    "request_id",
    "currency",
    "ours",
    "theirs",
    "why",
)


@dataclass(frozen=True, slots=True)
class DayReport:
    """What is known of a day after a night, and refunds that people see to whatever the day."""

    day: date
    closing: Closing | None
    positions: Sequence[tuple[str, str, int, Mapping[str, int]]]
    runs: Sequence[StoredRun]
    breaks: Sequence[StoredBreak]
    steps: Sequence[StoredStep]
    refused_refunds: Sequence[RefusedRefund] = ()
    doubtful_refunds: Sequence[DoubtfulRefund] = ()
    wallet_claims: Sequence[WalletClaim] = ()

    @property
    def open_breaks(self) -> int:
        return sum(b.state == "OPEN" for b in self.breaks)


def as_json(report: DayReport) -> dict[str, object]:
    """The report as one JSON object; amounts are integers in minor units."""
    closing = report.closing
    return {
        "day": report.day.isoformat(),
        "closing": closing
        and {
            "number": closing.number,
            "entries": closing.entries,
            "at": closing.at.isoformat(),
            "digest": closing.digest.hex(),
        },
        "net": [
            {"participant": who, "currency": code, "amount_minor": minor, "parts": dict(parts)}
            for who, code, minor, parts in report.positions
        ],
        "runs": [
            {
                "wallet": r.wallet,
                "revision": r.revision,
                "result_digest": r.result_digest.hex(),
                "counts": r.counts,
            }
            for r in report.runs
        ],
        "breaks": [_break_json(b) for b in report.breaks],
        "open_breaks": report.open_breaks,
        **_refunds_json(report),
        "steps": [
            {
                "step": s.step,
                "participant": s.participant,
                "state": s.state,
                "reason": s.reason,
                "wait_until": s.wait_until.isoformat() if s.wait_until else None,
            }
            for s in report.steps
        ],
    }


def _refunds_json(report: DayReport) -> dict[str, object]:
    """The lists of refunds that people see to."""
    return {
        "owed_to_riders": [
            {
                "request_id": r.request_id,
                "charge_id": r.charge_id,
                "journey_id": r.journey_id,
                "wallet": r.wallet,
                "currency": r.currency,
                "amount_minor": r.amount_minor,
                "code": r.code,
                "since": r.since.isoformat(),
            }
            for r in report.refused_refunds
        ],
        "refunds_in_doubt": [
            {
                "request_id": r.request_id,
                "charge_id": r.charge_id,
                "journey_id": r.journey_id,
                "wallet": r.wallet,
                "currency": r.currency,
                "amount_minor": r.amount_minor,
                "code": r.code,
                "since": r.since.isoformat(),
                "awaited_since": r.awaited_since.isoformat() if r.awaited_since else None,
                "awaiting_minor": r.awaiting_minor,
            }
            for r in report.doubtful_refunds
        ],
        "owed_by_wallets": [
            {
                "request_id": c.request_id,
                "attempt_id": c.attempt_id,
                "charge_id": c.charge_id,
                "journey_id": c.journey_id,
                "wallet": c.wallet,
                "currency": c.currency,
                "amount_minor": c.amount_minor,
                "why": c.why,
                "since": c.since.isoformat(),
            }
            for c in report.wallet_claims
        ],
    }


def json_text(report: DayReport) -> str:
    """The same as text with line ends; the same report gives the same bytes."""
    return json.dumps(as_json(report), ensure_ascii=False, indent=1, default=_plain) + "\n"


def breaks_csv(report: DayReport) -> str:
    """The breaks as CSV, one a line, amounts in major units."""
    rows = [
        (
            b.wallet,
            b.day.isoformat(),
            b.n,
            b.kind,
            b.state,
            str(b.detail.get("row_kind", "")),
            b.request_id,
            b.currency,
            major(b.internal_minor, b.currency),
            major(b.external_minor, b.currency),
            str(b.detail.get("why", "")),
        )
        for b in report.breaks
    ]
    return csv_text(_BREAK_COLUMNS, rows)


def page(report: DayReport) -> str:
    """The report as an HTML page; whatever stands in a file is shown as text."""
    environment = Environment(
        loader=PackageLoader("settlement", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["major"] = _shown
    return environment.get_template("report.html").render(report=report)


def _break_json(found: StoredBreak) -> dict[str, object]:
    return {
        "wallet": found.wallet,
        "number": found.n,
        "kind": found.kind,
        "state": found.state,
        "request_id": found.request_id,
        "currency": found.currency,
        "internal_minor": found.internal_minor,
        "external_minor": found.external_minor,
        "detail": found.detail,
    }


def _shown(minor: int | None, code: str | None) -> str:
    amount = major(minor, code)
    return "" if amount is None else f"{amount:,f}"


def _plain(value: object) -> str:
    assert isinstance(value, Decimal), f"{type(value).__name__} is not JSON"
    return str(value)
