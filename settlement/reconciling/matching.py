"""Decides what differs between our window and a wallet's file: one SQL text and its result.

The text reads four tables (``internal``, ``external``, ``settled``, ``known``; columns below) and
is portable: equi-joins, case, group by, row_number over a total order with explicit nulls last,
sums as decimal(38,0); no timestamps, regular expressions, hashes or extensions. Whatever engine
runs it gives the same exceptions, and so the same digest.

The first rule of ``PRECEDENCE`` that holds names the break, so a pair has one break at most.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

#: Rises with every change that may change a result; part of a run's key.
RULES_VERSION = "1"
#: Days for which an item may wait for its counterpart.
MAX_CARRIED_DAYS = 3
#: Minor units by which a derived column (settlement, other currency) may be off.
DERIVED_TOLERANCE_MINOR = 2
#: Minutes from a day's edge within which a missing counterpart may stand on the other day.
EDGE_MINUTES = 20


class BreakKind(StrEnum):
    """What can differ."""

    MISSING_INTERNAL = "missing_internal"
    MISSING_EXTERNAL = "missing_external"
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    FEE_MISMATCH = "fee_mismatch"
    FX_MISMATCH = "fx_mismatch"
    STATUS_MISMATCH = "status_mismatch"
    DUPLICATE_EXTERNAL = "duplicate_external"
    DUPLICATE_INTERNAL = "duplicate_internal"
    TIMING = "timing"
    AMBIGUOUS = "ambiguous"
    BATCH_TOTAL_MISMATCH = "batch_total_mismatch"
    UNPARSEABLE_ROW = "unparseable_row"


class BreakState(StrEnum):
    """How a break begins its life."""

    OPEN = "OPEN"
    CARRIED = "CARRIED"
    AUTO_RESOLVED = "AUTO_RESOLVED"


class Standing(StrEnum):
    """What we know of a file's id that is not in this window; an id not listed was never ours."""

    LATER = "later"  # captured, and in a window that is not closed or is of a later day
    EARLIER = "earlier"  # in an earlier window, whose run explained it
    LATE = "late"  # in an earlier window, whose run called it missing_external
    UNKNOWN = "unknown"  # sent, outcome not known: this row is evidence
    CANCELLED = "cancelled"  # cancelled before we knew of a capture
    REFUSED = "refused"  # final without money by our books


_K, _S = BreakKind, BreakState
_CARRY = f"< {MAX_CARRIED_DAYS}"

#: (condition, break or None for "explained", its state, why); the first that holds counts.
PRECEDENCE: tuple[tuple[str, BreakKind | None, BreakState | None, str], ...] = (
    ("both_sides = 1 and e_success = 0", _K.STATUS_MISMATCH, _S.OPEN, "the wallet says failed"),
    ("both_sides = 1 and i_cancelled = 1", _K.STATUS_MISMATCH, _S.OPEN, "we cancelled it"),
    ("both_sides = 1 and i_currency <> e_currency", _K.CURRENCY_MISMATCH, _S.OPEN, "currency"),
    ("both_sides = 1 and i_amount <> e_amount", _K.AMOUNT_MISMATCH, _S.OPEN, "amount"),
    (
        f"both_sides = 1 and abs(i_other - e_other) > {DERIVED_TOLERANCE_MINOR}",
        _K.FX_MISMATCH,
        _S.OPEN,
        "the other currency's amount is not by the stored quote",
    ),
    ("both_sides = 1 and i_fee <> e_fee", _K.FEE_MISMATCH, _S.OPEN, "fee"),
    (
        f"both_sides = 1 and abs(e_amount - e_fee - e_settlement) > {DERIVED_TOLERANCE_MINOR}",
        _K.FEE_MISMATCH,
        _S.OPEN,
        "settlement is not amount - fee",
    ),
    ("both_sides = 1", None, None, "matched"),
    ("ours_only = 1 and i_cancelled = 1", None, None, "cancelled: the layout lists no row"),
    (
        f"ours_only = 1 and i_edge = 1 and i_carried {_CARRY}",
        _K.TIMING,
        _S.CARRIED,
        "near the day's edge: may stand in the next file",
    ),
    ("ours_only = 1", _K.MISSING_EXTERNAL, _S.OPEN, "not in the file"),
    (
        "e_success = 0 and standing in ('later', 'earlier', 'late')",
        _K.STATUS_MISMATCH,
        _S.OPEN,
        "the wallet says failed",
    ),
    ("e_success = 0", None, None, "no money on either side"),
    (
        "standing in ('cancelled', 'unknown') and e_twin = 1",
        None,
        None,
        "payment and cancellation",
    ),
    ("standing = 'late'", _K.TIMING, _S.AUTO_RESOLVED, "was missing in an earlier file"),
    (
        f"standing in ('later', 'unknown') and e_carried {_CARRY}",
        _K.TIMING,
        _S.CARRIED,
        "ours, and not in this window yet",
    ),
    (
        f"standing = 'cancelled' and e_edge = 1 and e_carried {_CARRY}",
        _K.TIMING,
        _S.CARRIED,
        "cancelled near the day's edge: its cancellation may stand in the next file",
    ),
    ("standing = 'earlier'", _K.DUPLICATE_EXTERNAL, _S.OPEN, "was in an earlier file"),
    ("standing = 'refused' and e_carried > 0", None, None, "reported when it came"),
    ("standing is not null", _K.STATUS_MISMATCH, _S.OPEN, "we hold no money for it"),
    ("1 = 1", _K.MISSING_INTERNAL, _S.OPEN, "never ours"),
)

_RULE = "case " + " ".join(f"when {rule[0]} then {n}" for n, rule in enumerate(PRECEDENCE)) + " end"

#: Columns and types of the tables that the text reads; files hold exactly these, in this order.
EXTERNAL = (
    "row_kind varchar, request_id varchar, original_id varchar, wallet_id varchar, "
    "success integer, amount bigint, fee bigint, settlement bigint, currency varchar, "
    "day integer, edge integer, carried integer, batch varchar, other bigint, rate varchar, "
    "completed bigint"
)
INTERNAL = (
    "row_kind varchar, request_id varchar, amount bigint, fee bigint, currency varchar, "
    "other bigint, day integer, edge integer, carried integer, cancelled integer"
)
KNOWN = "row_kind varchar, request_id varchar, standing varchar"

#: One row a pair or lonely row: the rule that holds, and both sides.
PAIRS = f"""
with ours as (
    select row_kind, request_id, amount, fee, currency, other, day, edge, carried, cancelled,
        row_number() over (partition by row_kind, request_id
            order by carried desc nulls last, amount nulls last, currency nulls last) as copy
    from internal
), twins as (
    select request_id, max(case when row_kind = 'payment' then 1 else 0 end)
        * max(case when row_kind = 'cancel' then 1 else 0 end) as twin
    from external group by request_id
), theirs as (
    select e.row_kind, e.request_id, e.original_id, e.wallet_id, e.success, e.amount, e.fee,
        e.settlement, e.currency, e.day, e.edge, e.carried, e.batch, e.other, e.rate,
        e.completed, t.twin,
        row_number() over (partition by e.row_kind, e.request_id
            order by case when e.amount = i.amount and e.currency = i.currency then 0 else 1 end,
                e.success desc nulls last, e.carried desc nulls last, e.amount nulls last,
                e.fee nulls last, e.settlement nulls last, e.currency nulls last,
                e.other nulls last, e.wallet_id nulls last, e.completed nulls last) as copy
    from external e
    join twins t on t.request_id = e.request_id
    left join ours i on i.row_kind = e.row_kind and i.request_id = e.request_id and i.copy = 1
), paired as (
    select coalesce(i.row_kind, e.row_kind) as row_kind,
        coalesce(i.request_id, e.request_id) as request_id,
        case when i.request_id is not null and e.request_id is not null then 1 else 0 end
            as both_sides,
        case when e.request_id is null then 1 else 0 end as ours_only,
        i.amount as i_amount, i.fee as i_fee, i.currency as i_currency, i.other as i_other,
        i.day as i_day, i.edge as i_edge, i.carried as i_carried, i.cancelled as i_cancelled,
        e.original_id as e_original, e.wallet_id as e_wallet_id, e.success as e_success,
        e.amount as e_amount, e.fee as e_fee, e.settlement as e_settlement,
        e.currency as e_currency, e.day as e_day, e.edge as e_edge, e.carried as e_carried,
        e.batch as e_batch, e.other as e_other, e.rate as e_rate, e.twin as e_twin,
        e.completed as e_completed
    from (select * from ours where copy = 1) i
    full outer join (select * from theirs where copy = 1) e
        on e.row_kind = i.row_kind and e.request_id = i.request_id
)
select p.*, k.standing, {_RULE} as rule
from paired p
left join known k on k.row_kind = p.row_kind and k.request_id = p.request_id
"""

#: Rows beyond the first of an id: the same again, or the same id with other content.
EXTRAS = """
with ours as (
    select row_kind, request_id, amount, currency, row_number() over (
        partition by row_kind, request_id
        order by carried desc nulls last, amount nulls last, currency nulls last) as copy
    from internal
), first as (
    select row_kind, request_id, amount, currency from ours where copy = 1
), theirs as (
    select e.row_kind, e.request_id, e.success, e.amount, e.fee, e.settlement, e.currency, e.other,
        row_number() over (partition by e.row_kind, e.request_id
            order by case when e.amount = i.amount and e.currency = i.currency then 0 else 1 end,
                e.success desc nulls last, e.carried desc nulls last, e.amount nulls last,
                e.fee nulls last, e.settlement nulls last, e.currency nulls last,
                e.other nulls last, e.wallet_id nulls last, e.completed nulls last) as copy
    from external e
    left join first i on i.row_kind = e.row_kind and i.request_id = e.request_id
)
select 'internal' as side, row_kind, request_id, copy, amount, currency, 1 as same
from ours where copy > 1
union all
select 'external', x.row_kind, x.request_id, x.copy, x.amount, x.currency,
    case when x.success = f.success and x.amount = f.amount and x.fee = f.fee
        and x.settlement = f.settlement and x.currency = f.currency then 1 else 0 end
from (select * from theirs where copy > 1) x
join (select * from theirs where copy = 1) f
    on f.row_kind = x.row_kind and f.request_id = x.request_id
"""

#: Sums of the transactions file and of the settlement file or batches, by currency.
TOTALS = """
with w as (
    select currency, count(*) as items, cast(sum(amount) as decimal(38,0)) as amount,
        cast(sum(fee) as decimal(38,0)) as fee,
        cast(sum(settlement) as decimal(38,0)) as settlement
    from external where carried = 0 and success = 1 group by currency
), s as (
    select currency, count(*) as items, cast(sum(amount) as decimal(38,0)) as amount,
        cast(sum(fee) as decimal(38,0)) as fee,
        cast(sum(settlement) as decimal(38,0)) as settlement
    from settled where success = 1 group by currency
)
select coalesce(w.currency, s.currency) as currency,
    w.items as w_items, w.amount as w_amount, w.fee as w_fee, w.settlement as w_settlement,
    s.items as s_items, s.amount as s_amount, s.fee as s_fee, s.settlement as s_settlement
from w full outer join s on s.currency = w.currency
"""


@dataclass(frozen=True, slots=True)
class Break:
    """One difference. Amounts in minor units of ``currency``, None on the side that is missing."""

    kind: BreakKind
    state: BreakState
    row_kind: str
    request_id: str
    internal_minor: int | None
    external_minor: int | None
    currency: str | None
    detail: Mapping[str, object]

    def canonical(self) -> str:
        """The break as one line of text that depends on nothing but its content."""
        parts = [
            self.kind.value,
            self.state.value,
            self.row_kind,
            self.request_id,
            self.internal_minor,
            self.external_minor,
            self.currency,
            dict(self.detail),
        ]
        return json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found. ``resolved`` are carried ids that found their counterpart."""

    breaks: tuple[Break, ...]
    counts: Mapping[str, object]
    resolved: tuple[str, ...]

    def digest(self) -> bytes:
        """SHA-256 over the sorted breaks and the counts and sums: equal inputs, equal bytes."""
        hasher = hashlib.sha256()
        for line in sorted(b.canonical() for b in self.breaks):
            hasher.update(line.encode() + b"\n")
        hasher.update(json.dumps(self.counts, sort_keys=True, separators=(",", ":")).encode())
        return hasher.digest()


def broken_pair(row: Mapping[str, object]) -> Break:
    """The break of a row of ``PAIRS`` whose rule names one."""
    rule = row["rule"]
    assert isinstance(rule, int)
    _, kind, state, why = PRECEDENCE[rule]
    assert kind is not None and state is not None
    detail: dict[str, object] = {"why": why}
    if row["standing"] is not None:
        detail["standing"] = row["standing"]
    if state is _S.CARRIED:
        detail["carries"] = "external" if row["ours_only"] == 0 else "internal"
    elif row["standing"] == Standing.REFUSED and kind is _K.STATUS_MISMATCH:
        detail["carries"] = "external"  # it is evidence: our books may follow it tomorrow
    for name, value in sorted(row.items()):
        if name[:2] in ("i_", "e_") and value is not None:
            detail[name] = value
    external = row["e_amount"]
    return Break(
        kind,
        state,
        str(row["row_kind"]),
        str(row["request_id"]),
        _minor(row["i_amount"]),
        _minor(external),
        str(row["i_currency"] or row["e_currency"]),
        detail,
    )


def extra_copy(row: Mapping[str, object]) -> Break:
    """The break of a row of ``EXTRAS``."""
    internal = row["side"] == "internal"
    kind = _K.DUPLICATE_INTERNAL if internal else _K.DUPLICATE_EXTERNAL
    if not row["same"]:
        kind = _K.AMBIGUOUS
    amount = _minor(row["amount"])
    return Break(
        kind,
        _S.OPEN,
        str(row["row_kind"]),
        str(row["request_id"]),
        amount if internal else None,
        None if internal else amount,
        str(row["currency"]),
        {"why": "the same id again", "copy": row["copy"]},
    )


def unequal_totals(rows: Iterable[Mapping[str, object]], batches: str) -> list[Break]:
    """A break for each currency whose batches do not add up to the transactions."""
    found = []
    for row in rows:
        names = ("items", "amount", "fee", "settlement")
        said = {f"{side}_{n}": _minor(row[f"{side}_{n}"]) or 0 for side in "ws" for n in names}
        if any(said[f"w_{n}"] != said[f"s_{n}"] for n in names):
            found.append(
                Break(
                    _K.BATCH_TOTAL_MISMATCH,
                    _S.OPEN,
                    "batch",
                    batches,
                    said["w_settlement"],
                    said["s_settlement"],
                    str(row["currency"]),
                    {"why": "transactions and settlement differ", **said},
                )
            )
    return found


def _minor(value: object) -> int | None:
    return None if value is None else int(str(value))
