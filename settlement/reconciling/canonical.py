"""Turns both sides of a wallet's day into the rows that the matching reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from settlement.closing.netting import wallet_fee_of
from settlement.closing.statements import LISTED_PROBLEMS, FileFacts, scan
from settlement.reconciling.layouts import Cancelled, FileKind, Layout, Problem, Row, RowKind
from settlement.reconciling.match_run import Engine, write_parquet
from settlement.reconciling.matching import EDGE_MINUTES, EXTERNAL, RULES_VERSION, Standing
from transitpay.charging.lifecycle import AttemptState
from transitpay.charging.partner_json import Fields
from transitpay.clock import LOCAL_ZONE, wallet_day
from transitpay.fx.quote import convert_by_pair
from transitpay.ledger.night import StoredBreak
from transitpay.money import CNY, Money, currency
from transitpay.postgres.closing.recon import KnownId, OurItem

_KIND_OF = {"capture": RowKind.PAYMENT, "refund": RowKind.REFUND, "cancel": RowKind.CANCEL}
_UNSURE = {AttemptState.SENT, AttemptState.UNKNOWN, AttemptState.CANCELLING}


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a file gave: its canonical Parquet, or problems."""

    path: Path
    rows: int
    problems: tuple[str, ...]


class RowDigest:
    """SHA-256 over rows in the order in which they are added."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, row: Sequence[object]) -> None:
        """Add one row."""
        self._hash.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")

    def digest(self) -> bytes:
        """The digest of everything added."""
        return self._hash.digest()


def canonical_path(home: Path, wallet: str, facts: FileFacts, sha256: bytes) -> Path:
    """Where the canonical form of a file is, for the rules that made it."""
    folder = home / "files" / "canonical" / f"v{RULES_VERSION}" / wallet / facts.day.isoformat()
    return folder / f"{facts.kind}-{sha256.hex()}.parquet"


def read_file(engine: Engine, raw: Path, facts: FileFacts, into: Path) -> Read:
    """Read a stored file whole; the Parquet remains only when there is no problem."""
    problems: list[str] = []
    count = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal count
        with raw.open("rb") as stream:
            for item in scan(stream, facts):
                if isinstance(item, Problem):
                    count += 1
                    if len(problems) < LISTED_PROBLEMS:
                        problems.append(str(item))
                elif not count:
                    yield external_row(item)

    made = write_parquet(engine, rows(), EXTERNAL, into)
    if count:
        into.unlink()
        if count > len(problems):
            problems.append(f"and {count - len(problems)} more")
    return Read(into, made, tuple(problems))


def external_row(row: Row) -> tuple[object, ...]:
    """A wallet's row in the order of ``matching.EXTERNAL``."""
    return (
        row.kind.value,
        row.request_id,
        row.original_id,
        row.wallet_id,
        int(row.success),
        row.amount_minor,
        row.fee_minor,
        row.settlement_minor,
        row.currency,
        _day_number(wallet_day(row.completed_at)),
        near_edge(row.completed_at),
        0,
        row.batch,
        row.other_minor,
        None if row.rate is None else str(row.rate),
        int(row.completed_at.timestamp()),
    )


def internal_row(item: OurItem, layout: Layout) -> tuple[object, ...] | None:
    """An item of ours in the order of ``matching.INTERNAL``; None where no row stands for it."""
    kind = _KIND_OF[item.item_kind]
    hidden = layout.cancelled is Cancelled.ABSENT
    if hidden and kind is RowKind.CANCEL:
        return None
    amount = Money(item.amount_minor, currency(item.currency))
    return (
        kind.value,
        item.ref,
        item.amount_minor,
        _expected_fee(kind, amount, item.fee_rate),
        item.currency,
        _expected_debit(amount, item.wallet_quote),
        _day_number(item.day),
        near_edge(item.completed_at) if item.completed_at else 0,
        0,
        int(hidden and item.cancelled),
    )


def carried_rows(breaks: Iterable[StoredBreak]) -> tuple[list[tuple[object, ...]], ...]:
    """(internal, external) rows that earlier runs left for a later file, a day older."""
    internal: list[tuple[object, ...]] = []
    external: list[tuple[object, ...]] = []
    for found in breaks:
        d = found.detail
        row_kind = d.get("row_kind")
        match d.get("carries"):
            case "internal":
                internal.append(
                    (
                        row_kind,
                        found.request_id,
                        *(d.get(f"i_{n}") for n in ("amount", "fee", "currency", "other", "day")),
                        d.get("i_edge"),
                        _older(d.get("i_carried")),
                        d.get("i_cancelled"),
                    )
                )
            case "external":
                names = ("original", "wallet_id", "success", "amount", "fee", "settlement")
                external.append(
                    (
                        row_kind,
                        found.request_id,
                        *(d.get(f"e_{n}", "") for n in names),
                        *(d.get(f"e_{n}") for n in ("currency", "day", "edge")),
                        _older(d.get("e_carried")),
                        d.get("e_batch", ""),
                        d.get("e_other"),
                        d.get("e_rate"),
                        d.get("e_completed"),
                    )
                )
    return internal, external


def standing(known: KnownId, day: date) -> Standing:
    """What we know of an id that the file of ``day`` names and its window does not hold."""
    if known.is_open or (known.window_day is not None and known.window_day > day):
        return Standing.LATER
    if known.window_day is not None:
        return Standing.LATE if known.was_missing else Standing.EARLIER
    if known.row_kind == RowKind.REFUND:
        return Standing.REFUSED if known.state == "REFUSED" else Standing.UNKNOWN
    state = AttemptState(known.state)
    if state is AttemptState.CANCELLED:
        return Standing.CANCELLED
    if state in _UNSURE:
        return Standing.UNKNOWN
    if state in (AttemptState.DECLINED, AttemptState.ABSENT):
        return Standing.REFUSED
    # Captured by us, and yet in no window: a cancellation row then says what we do not.
    return Standing.LATER if known.row_kind == RowKind.PAYMENT else Standing.REFUSED


def near_edge(at: datetime) -> int:
    """1 within ``EDGE_MINUTES`` of local midnight, on either side."""
    local = at.astimezone(LOCAL_ZONE)
    minute = local.hour * 60 + local.minute
    return int(minute < EDGE_MINUTES or minute >= 24 * 60 - EDGE_MINUTES)


def facts_of(layout: Layout, kind: str, day: date, name: str) -> FileFacts:
    """What is known of a file before it is read; a settlement file's name ends in its batch."""
    batch = ""
    if layout.two_files and kind == FileKind.SETTLEMENT:
        batch = name.rpartition("_")[2].partition(".")[0]
    return FileFacts(layout, FileKind(kind), day, batch)


def _expected_fee(kind: RowKind, amount: Money, rate: Decimal | None) -> int:
    if kind is RowKind.REFUND or rate is None:
        return 0
    fee = wallet_fee_of(Money(abs(amount.minor), amount.currency), rate).minor
    return fee if kind is RowKind.PAYMENT else -fee


def _expected_debit(amount: Money, stored: object) -> int | None:
    """What the rider's purse moved, by the quote stored with the payment; None without one."""
    if not isinstance(stored, Mapping):
        return None
    quote = Fields({"quote": stored}).optional_quote("quote")
    if quote is None or amount.currency == CNY or CNY not in (quote.base, quote.quote):
        return None
    return convert_by_pair(amount, quote.base, quote.quote, quote.price).minor


def _older(days: object) -> int:
    return int(str(days or 0)) + 1


def _day_number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
