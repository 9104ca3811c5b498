"""Describes the wallet file layouts as configuration, and the canonical row they are read into.

A layout names columns, delimiter, encoding, date format, unit, signs and words; reading
(``settlement.closing.statements``) knows nothing of any wallet. A new partner is a new value here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class RowKind(StrEnum):
    """What a row says happened."""

    PAYMENT = "payment"
    REFUND = "refund"
    CANCEL = "cancel"


class Signs(StrEnum):
    """Which amount columns of refunds and cancellations carry their minus."""

    ALL = "all"  # amount and settlement are signed
    SETTLEMENT_ONLY = "settlement_only"  # the amount is never signed


class Cancelled(StrEnum):
    """How a payment that succeeded and was cancelled appears."""

    ABSENT = "absent"
    CANCEL_ROW = "cancel_row"


class Unit(StrEnum):
    """What amounts are written in."""

    MAJOR = "major"
    MINOR = "minor"


class FileKind(StrEnum):
    """What a file is for; a layout with one file for both calls it transactions."""

    TRANSACTIONS = "transactions"
    SETTLEMENT = "settlement"


@dataclass(frozen=True, slots=True)
class Row:
    """One canonical row: minor units, signed (payments above zero), UTC, trimmed ids."""

    line: int
    kind: RowKind
    request_id: str
    original_id: str
    wallet_id: str
    success: bool
    amount_minor: int
    fee_minor: int
    settlement_minor: int
    currency: str
    completed_at: datetime
    batch: str
    other_minor: int | None = None
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line cannot be read. Line 0 is the file as a whole."""

    line: int
    code: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


@dataclass(frozen=True, slots=True)
class Total:
    """What a control line says: rows, and sums in minor units."""

    line: int
    rows: int
    amount_minor: int
    fee_minor: int
    settlement_minor: int
    currency: str
    batch: str


@dataclass(frozen=True, slots=True)
class Layout:
    """One partner's files. ``columns`` map our field names to theirs; ``header`` is exact."""

    name: str
    delimiter: str
    quoting: bool
    encoding: str
    header: tuple[str, ...]
    columns: Mapping[str, str]
    unit: Unit
    signs: Signs
    cancelled: Cancelled
    kinds: Mapping[str, RowKind]
    statuses: Mapping[str, bool]
    time_formats: tuple[str, ...]
    batch_by: str
    two_files: bool
    total_line: bool = False
    words: Mapping[str, str] = field(default_factory=dict)


_HK_HEADER = (
    "Partner_transaction_id,Transaction_id,Amount,Fee,Settlement,Currency,Payment_time,"
    "Settlement_time,Issue,Product,Type,Status,Remarks,Original_partner_transaction_ID"
)
_CN_HEADER = (
    "Partner_transaction_id|Transaction_id|Amount|Rmb_amount|Fee|Settlement|Rmb_settlement|"
    "Currency|Rate|Payment_time|Settlement_time|Type|Status|Remarks|"
    "Secondary_merchant_industry|Secondary_merchant_name|Operator_name|Order_scene|"
    "Trans_currency|Trans_amount|Trans_forex_rate"
)
_OURS_HEADER = (
    "record,batch_id,request_id,original_request_id,wallet_id,type,status,amount_minor,"
    "fee_minor,settlement_minor,currency,completed_at,settlement_day"
)
_SHARED = {
    "request_id": "Partner_transaction_id",
    "wallet_id": "Transaction_id",
    "amount": "Amount",
    "fee": "Fee",
    "settlement": "Settlement",
    "currency": "Currency",
    "completed_at": "Payment_time",
    "settled_at": "Settlement_time",
    "kind": "Type",
    "status": "Status",
}
_KINDS = {"PAYMENT": RowKind.PAYMENT, "REFUND": RowKind.REFUND, "CANCEL": RowKind.CANCEL}

ALIPAYHK = Layout(
    name="alipayhk",
    delimiter=",",
    quoting=True,
    encoding="utf-8",
    header=tuple(_HK_HEADER.split(",")),
    columns=_SHARED | {"original_id": "Original_partner_transaction_ID"},
    unit=Unit.MAJOR,
    signs=Signs.SETTLEMENT_ONLY,
    cancelled=Cancelled.CANCEL_ROW,
    kinds=_KINDS,
    statuses={"SUCCESS": True, "SETTLED": True, "FAILED": False},
    time_formats=("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"),
    batch_by="file",
    two_files=True,
    words={"Product": "AGREEMENT_PAY"},
)
ALIPAY_CN = Layout(
    name="alipay-cn",
    delimiter="|",
    quoting=False,
    encoding="gb18030",
    header=tuple(_CN_HEADER.split("|")),
    columns=_SHARED | {"other": "Rmb_amount", "rate": "Rate"},
    unit=Unit.MAJOR,
    signs=Signs.ALL,
    cancelled=Cancelled.ABSENT,
    kinds={"P": RowKind.PAYMENT, "R": RowKind.REFUND},
    statuses={"L": True},
    time_formats=("%Y-%m-%d %H:%M:%S",),
    batch_by="settled_day",
    two_files=False,
)
TRANSITPAY = Layout(
    name="transitpay",
    delimiter=",",
    quoting=True,
    encoding="utf-8",
    header=tuple(_OURS_HEADER.split(",")),
    columns={
        "record": "record",
        "batch": "batch_id",
        "request_id": "request_id",
        "original_id": "original_request_id",
        "wallet_id": "wallet_id",
        "kind": "type",
        "status": "status",
        "amount": "amount_minor",
        "fee": "fee_minor",
        "settlement": "settlement_minor",
        "currency": "currency",
        "completed_at": "completed_at",
    },
    unit=Unit.MINOR,
    signs=Signs.ALL,
    cancelled=Cancelled.CANCEL_ROW,
    kinds=_KINDS,
    statuses={"SUCCESS": True, "FAILED": False},
    time_formats=("iso",),
    batch_by="column",
    two_files=False,
    total_line=True,
)

#: file_layout of ``partner_endpoint`` -> layout.
LAYOUTS = {layout.name: layout for layout in (ALIPAYHK, ALIPAY_CN, TRANSITPAY)}
