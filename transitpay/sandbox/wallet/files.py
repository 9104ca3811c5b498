"""Writes a wallet's files of one day in the three documented layouts, from the wallet's book.

The layouts are those of docs/reference/wallet-files.md, written here a second time on purpose:
who reads them shares no line of code with who writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from transitpay.clock import LOCAL_ZONE, day_start, wallet_day
from transitpay.money import Money, Rounding, currency, scale
from transitpay.sandbox.plan import FileRow, Planted, choose, fee_of, plant, sealed
from transitpay.sandbox.wallet.accounts import Book, State

_HK_HEADER = (
    "Partner_transaction_id,Transaction_id,Amount,Fee,Settlement,Currency,Payment_time,"
    "Settlement_time,Issue,Product,Type,Status,Remarks,Original_partner_transaction_ID"
)
_CN_HEADER = (
    "Partner_transaction_id|Transaction_id|Amount|Rmb_amount|Fee|Settlement|Rmb_settlement|"
    "Currency|Rate|Payment_time|Settlement_time|Type|Status|Remarks|Secondary_merchant_industry|"
    "Secondary_merchant_name|Operator_name|Order_scene|Trans_currency|Trans_amount|"
    "Trans_forex_rate"
)
_OUR_HEADER = (
    "record,batch_id,request_id,original_request_id,wallet_id,type,status,amount_minor,"
    "fee_minor,settlement_minor,currency,completed_at,settlement_day"
)


@dataclass(frozen=True, slots=True)
class WalletFile:
    """One file as it is served."""

    name: str
    kind: str
    content: bytes

    def entry(self) -> dict[str, object]:
        """Its line in the listing."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {
            "name": self.name,
            "kind": self.kind,
            "size": len(self.content),
            "sha256": digest,
        }


@dataclass(frozen=True, slots=True)
class FileTerms:
    """How a wallet writes: ``pid`` is the partner's client id, ``plants`` None = the usual plan."""

    wallet: str
    layout: str
    pid: str
    home_currency: str
    fee_rate: Decimal
    seed: int
    plants: int | None


def ready_at(day: date) -> datetime:
    """Files of a day are ready at 08:00 of the next day."""
    return day_start(day + timedelta(days=1), 8)


def make_files(book: Book, day: date, terms: FileTerms, folder: Path) -> tuple[WalletFile, ...]:
    """The files of a day; made once, then kept, with the sealed plan beside them."""
    kept = folder / "files" / day.isoformat()
    if not (kept / "complete").exists():
        rows = rows_of(book, day, terms)
        seed = f"{terms.seed}:{terms.wallet}"
        plan = choose(rows, terms.layout, seed, day, terms.plants)
        files = write(plant(rows, plan, terms.fee_rate), day, terms)
        kept.mkdir(parents=True, exist_ok=True)
        for file in files:
            (kept / f"{file.kind}@{file.name}").write_bytes(file.content)
        plan_text = json.dumps(sealed(plan, terms.wallet, day), indent=1)
        (folder / f"plan-{day}.json").write_text(plan_text + "\n", encoding="utf-8")
        (kept / "complete").touch()
    found = sorted(path for path in kept.iterdir() if "@" in path.name)
    return tuple(
        WalletFile(path.name.partition("@")[2], path.name.partition("@")[0], path.read_bytes())
        for path in found
    )


def rows_of(book: Book, day: date, terms: FileTerms) -> list[FileRow]:
    """What was completed on the day, in the order of completion."""
    rows = [*_payments(book, day, terms), *_refunds(book, day)]
    return sorted(rows, key=lambda row: (row.completed_at, row.request_id, row.type))


def write(planted: Planted, day: date, terms: FileTerms) -> tuple[WalletFile, ...]:
    """The files of the wallet's own layout."""
    match terms.layout:
        case "alipayhk":
            return tuple(_alipayhk(planted, day, terms))
        case "alipay-cn":
            return (_alipay_cn(planted, day, terms),)
        case _:
            return tuple(_transitpay(planted, day, terms))


def _payments(book: Book, day: date, terms: FileTerms) -> Iterator[FileRow]:
    absent = terms.layout == "alipay-cn"
    for it in book.payments.values():
        cancelled = it.state is State.CANCELLED and it.had_succeeded
        if it.state is not State.SUCCESS and (absent or not cancelled):
            continue
        fee = fee_of(it.amount_minor, it.currency, terms.fee_rate)
        assert it.paid_at is not None
        row = FileRow(
            it.request_id, "", it.payment_id, "PAYMENT", it.amount_minor, fee, it.currency,
            it.paid_at, it.rate, it.debit_minor,
        )  # fmt: skip
        if wallet_day(it.paid_at) == day:
            yield row
        if cancelled and it.cancelled_at is not None and wallet_day(it.cancelled_at) == day:
            yield FileRow(
                it.request_id, it.request_id, it.payment_id, "CANCEL", it.amount_minor, -fee,
                it.currency, it.cancelled_at, it.rate, it.debit_minor,
            )  # fmt: skip


def _refunds(book: Book, day: date) -> Iterator[FileRow]:
    for it in book.refunds.values():
        if wallet_day(it.refunded_at) == day:
            rate = book.payments[it.payment_request_id].rate
            yield FileRow(
                it.request_id, it.payment_request_id, it.refund_id, "REFUND", it.amount_minor, 0,
                it.currency, it.refunded_at, rate, it.debit_minor,
            )  # fmt: skip


def _alipayhk(planted: Planted, day: date, terms: FileTerms) -> Iterator[WalletFile]:
    stamp = day.strftime("%Y%m%d")
    lines = [_hk_line(row, "", row.status) for row in planted.rows]
    yield _file(f"{terms.pid}_fptrade_{stamp}.csv", "transactions", [_HK_HEADER, *lines])
    settled = [r for r in planted.rows if r.status == "SUCCESS"]
    settled = [r for r in settled if r.request_id not in planted.left_out]
    at = _hk_time(ready_at(day))
    groups = _by_currency(settled) or {terms.home_currency: []}
    for number, unit in enumerate(sorted(groups), start=1):
        lines = [_hk_line(row, at, "SETTLED") for row in groups[unit]]
        name = f"{terms.pid}_settle_{stamp}_{stamp}{number:03d}.csv"
        yield _file(name, "settlement", [_HK_HEADER, *lines])


def _hk_line(row: FileRow, settlement_time: str, status: str) -> str:
    cells = (
        row.request_id, row.wallet_id, _major(row.amount_minor), _major(row.fee_minor),
        _major(row.settlement_minor), row.currency, _hk_time(row.completed_at), settlement_time,
        "ALIPAYHK", "AGREEMENT_PAY", row.type, status, "", row.original_request_id,
    )  # fmt: skip
    return ",".join(cells)


def _alipay_cn(planted: Planted, day: date, terms: FileTerms) -> WalletFile:
    lines = [_cn_line(row, day) for row in planted.rows]
    name = f"{terms.pid}_transaction_{day:%Y%m%d}.txt"
    text = "\n".join([_CN_HEADER, *lines]) + "\n"
    return WalletFile(name, "transactions", text.encode("gb18030"))


def _cn_line(row: FileRow, day: date) -> str:
    rate = Decimal(row.rate)
    settlement = Money(row.settlement_minor, currency(row.currency))
    rmb_settlement, _ = scale(settlement, rate, mode=Rounding.HALF_UP)
    amount = _major(row.sign * row.amount_minor)
    cells = (
        row.request_id, row.wallet_id, amount, _major(row.sign * row.debit_minor),
        _major(row.fee_minor), _major(row.settlement_minor), _major(rmb_settlement.minor),
        row.currency, f"{rate:.8f}", _cn_time(row.completed_at), _cn_time(ready_at(day)),
        "P" if row.type == "PAYMENT" else "R", "L", "", "", "", "", "",
        row.currency, amount, "1.00000000",
    )  # fmt: skip
    return "|".join(cells)


def _transitpay(planted: Planted, day: date, terms: FileTerms) -> Iterator[WalletFile]:
    groups = _by_currency(planted.rows) or {terms.home_currency: []}
    settlement_day = wallet_day(ready_at(day)).isoformat()
    for unit, rows in sorted(groups.items()):
        batch = f"{day:%Y%m%d}-{unit}"
        lines = [_our_line(row, batch, settlement_day) for row in rows]
        good = [row for row in rows if row.status == "SUCCESS"]
        total = (
            "TOTAL", batch, str(len(rows)), "", "", "", "",
            str(sum(row.sign * row.amount_minor for row in good)),
            str(sum(row.fee_minor for row in good)),
            str(sum(row.settlement_minor for row in good)), unit, "", settlement_day,
        )  # fmt: skip
        name = f"{terms.pid}_wallet_{day:%Y%m%d}_{unit}.csv"
        yield _file(name, "transactions", [_OUR_HEADER, *lines, ",".join(total)])


def _our_line(row: FileRow, batch: str, settlement_day: str) -> str:
    cells = (
        "ITEM", batch, row.request_id, row.original_request_id, row.wallet_id, row.type,
        row.status, str(row.sign * row.amount_minor), str(row.fee_minor),
        str(row.settlement_minor), row.currency,
        row.completed_at.astimezone(LOCAL_ZONE).isoformat(timespec="seconds"), settlement_day,
    )  # fmt: skip
    return ",".join(cells)


def _by_currency(rows: Sequence[FileRow]) -> Mapping[str, list[FileRow]]:
    groups: dict[str, list[FileRow]] = defaultdict(list)
    for row in rows:
        groups[row.currency].append(row)
    return groups


def _file(name: str, kind: str, lines: Sequence[str]) -> WalletFile:
    return WalletFile(name, kind, ("\n".join(lines) + "\n").encode("utf-8"))


def _major(minor: int) -> str:
    return format(Decimal(minor).scaleb(-2), ".2f")


def _hk_time(at: datetime) -> str:
    local = at.astimezone(LOCAL_ZONE)
    return f"{local:%m/%d/%Y} {local.hour}:{local:%M:%S}"


def _cn_time(at: datetime) -> str:
    return f"{at.astimezone(LOCAL_ZONE):%Y-%m-%d %H:%M:%S}"
