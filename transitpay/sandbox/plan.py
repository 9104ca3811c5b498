"""Which breaks a sandbox wallet plants in its files: a seeded, sealed plan of known size.

The plan is chosen when a day's files are made and applied to the list of rows, so that files,
batches and totals agree with one another. Nothing but the wallet and, at the very end, the demo
reads it.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from transitpay.clock import day_start
from transitpay.money import Money, Rounding, currency, scale

#: layout -> the kinds that its columns can carry, in the order in which they are planted.
KINDS: Mapping[str, tuple[str, ...]] = {
    "alipayhk": (
        "missing_internal",
        "missing_external",
        "amount_mismatch",
        "fee_mismatch",
        "duplicate_external",
        "status_mismatch",
        "batch_total_mismatch",
    ),
    "alipay-cn": (
        "missing_internal",
        "missing_external",
        "amount_mismatch",
        "fee_mismatch",
        "duplicate_external",
        "fx_mismatch",
        "currency_mismatch",
    ),
    "transitpay": (
        "missing_internal",
        "missing_external",
        "amount_mismatch",
        "fee_mismatch",
        "duplicate_external",
        "status_mismatch",
        "currency_mismatch",
    ),
}
#: One round of all kinds, and one more break for each so many rows.
ROWS_A_FURTHER_BREAK = 200
#: Rows near midnight are left alone: there a missing counterpart is a matter of timing.
EDGE = timedelta(minutes=21)
_OTHER = {"HKD": "CNY", "CNY": "HKD"}
_SHIFT_MINOR = 100


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a wallet's day, before it is written in any layout.

    ``amount_minor`` is never signed, ``sign`` is -1 for refunds and cancellations. ``debit_minor``
    is what the rider's own purse moved, ``rate`` its price of one unit of ``currency``.
    """

    request_id: str
    original_request_id: str
    wallet_id: str
    type: str
    amount_minor: int
    fee_minor: int
    currency: str
    completed_at: datetime
    rate: str
    debit_minor: int
    status: str = "SUCCESS"

    @property
    def sign(self) -> int:
        return 1 if self.type == "PAYMENT" else -1

    @property
    def settlement_minor(self) -> int:
        """Signed amount minus signed fee."""
        return self.sign * self.amount_minor - self.fee_minor


@dataclass(frozen=True, slots=True)
class PlannedBreak:
    """One planted defect; for ``batch_total_mismatch`` the row that the batch leaves out."""

    kind: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Planted:
    """The rows as served, and the request ids that the settlement file leaves out."""

    rows: tuple[FileRow, ...]
    left_out: frozenset[str]


def fee_of(amount_minor: int, unit: str, fee_rate: Decimal) -> int:
    """A payment's fee: amount x rate, HALF_UP to the minor unit; 47.91 x 0.006 is 0.29."""
    fee, _ = scale(Money(amount_minor, currency(unit)), fee_rate, mode=Rounding.HALF_UP)
    return fee.minor


def choose(
    rows: Sequence[FileRow], layout: str, seed: str, day: date, size: int | None
) -> tuple[PlannedBreak, ...]:
    """Which rows get which defect: one break a row at most, at most every second payment.

    ``size`` None means one of each kind and one more for each 200 rows; 0 plants nothing.
    """
    start = day_start(day)
    fit = [
        row
        for row in sorted(rows, key=lambda row: row.request_id)
        if row.type == "PAYMENT"
        and start + EDGE <= row.completed_at <= start + timedelta(days=1) - EDGE
    ]
    kinds = KINDS[layout]
    wanted = len(kinds) + len(fit) // ROWS_A_FURTHER_BREAK if size is None else size
    picked = random.Random(f"{seed}:{day}").sample(fit, min(wanted, len(fit) // 2))
    # One batch has one total, so it can be wrong once.
    cycle = [k for i, k in enumerate(kinds * (wanted // len(kinds) + 1))
             if k != "batch_total_mismatch" or i < len(kinds)]  # fmt: skip
    breaks = []
    for kind, row in zip(cycle, picked, strict=False):
        invented = kind == "missing_internal"
        request_id = _invented(row.request_id) if invented else row.request_id
        breaks.append(PlannedBreak(kind, request_id))
    return tuple(breaks)


def plant(rows: Sequence[FileRow], plan: Sequence[PlannedBreak], fee_rate: Decimal) -> Planted:
    """The rows with the plan's defects, and everything derived from them computed anew."""
    by_request = {item.request_id: item.kind for item in plan}
    served: list[FileRow] = []
    for row in rows:
        kind = by_request.get(row.request_id) if row.type == "PAYMENT" else None
        served.extend(_altered(row, kind, fee_rate))
    sources = {_invented(row.request_id): row for row in rows}
    for item in plan:
        if item.kind == "missing_internal":
            row = sources[item.request_id]
            served.append(replace(row, request_id=item.request_id, wallet_id=f"X{row.wallet_id}"))
    left_out = frozenset(i.request_id for i in plan if i.kind == "batch_total_mismatch")
    return Planted(tuple(served), left_out)


def sealed(plan: Sequence[PlannedBreak], wallet: str, day: date) -> dict[str, Any]:
    """The plan as it is written to disk."""
    return {
        "wallet": wallet,
        "day": day.isoformat(),
        "kinds": dict(Counter(item.kind for item in plan)),
        "breaks": [{"kind": item.kind, "request_id": item.request_id} for item in plan],
    }


def _invented(request_id: str) -> str:
    """An id of the usual shape that was never used."""
    return f"c-{hashlib.sha256(request_id.encode()).hexdigest()[:32]}-1"


def _altered(row: FileRow, kind: str | None, fee_rate: Decimal) -> list[FileRow]:
    match kind:
        case "missing_external":
            return []
        case "duplicate_external":
            return [row, row]
        case "amount_mismatch":
            return [_with_amount(row, row.amount_minor + _SHIFT_MINOR, fee_rate)]
        case "fee_mismatch":
            return [replace(row, fee_minor=row.fee_minor + 7)]
        case "fx_mismatch":
            return [replace(row, debit_minor=row.debit_minor + 55)]
        case "currency_mismatch":
            return [replace(row, currency=_OTHER[row.currency])]
        case "status_mismatch":
            return [replace(row, status="FAILED")]
        case _:
            return [row]


def _with_amount(row: FileRow, amount_minor: int, fee_rate: Decimal) -> FileRow:
    debit, _ = scale(
        Money(amount_minor, currency(row.currency)), Decimal(row.rate), mode=Rounding.HALF_UP
    )
    return replace(
        row,
        amount_minor=amount_minor,
        fee_minor=fee_of(amount_minor, row.currency, fee_rate),
        debit_minor=debit.minor,
    )
