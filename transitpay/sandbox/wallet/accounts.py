"""The wallet's own book: accounts, payments and refunds, each decided once per request id.

Nothing here knows HTTP. The book is kept as lines of JSON, so that a wallet that is killed comes
back with what it had promised. Balances are integer minor units of the account's currency.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

from transitpay.clock import day_start, wallet_day
from transitpay.money import Money, Rounding, currency, scale

#: A payment may be cancelled until 00:15 UTC+8 of the day after it.
CANCEL_WINDOW = timedelta(days=1, minutes=15)


class State(StrEnum):
    """Where a payment stands at the wallet."""

    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Refused(StrEnum):
    """Why the wallet does not do what it was asked; these are the codes of the protocol."""

    REPEAT_REQ_INCONSISTENT = "REPEAT_REQ_INCONSISTENT"
    ORDER_IS_CLOSED = "ORDER_IS_CLOSED"
    ORDER_NOT_EXIST = "ORDER_NOT_EXIST"
    INVALID_TOKEN = "INVALID_TOKEN"
    USER_BALANCE_NOT_ENOUGH = "USER_BALANCE_NOT_ENOUGH"
    CANCEL_WINDOW_EXCEED = "CANCEL_WINDOW_EXCEED"
    REFUND_AMOUNT_EXCEED = "REFUND_AMOUNT_EXCEED"


@dataclass(frozen=True, slots=True)
class Account:
    """A person's purse. ``token`` is what a partner charges it by, ``rider_id`` its name there."""

    account: str
    token: str
    balance_minor: int
    rider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """One paymentRequestId. ``rate`` is our price of the account's currency, "1" without FX."""

    request_id: str
    digest: str
    account: str
    amount_minor: int
    currency: str
    state: State
    payment_id: str
    paid_at: datetime | None = None
    debit_minor: int = 0
    rate: str = "1"
    result_code: str | None = None
    cancelled_at: datetime | None = None
    had_succeeded: bool = False
    acknowledged: bool = False
    notify_url: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """One refundRequestId."""

    request_id: str
    digest: str
    payment_request_id: str
    amount_minor: int
    currency: str
    refund_id: str
    refunded_at: datetime
    debit_minor: int


_R = TypeVar("_R", Account, Payment, Refund)


@dataclass(frozen=True, slots=True)
class PayOrder:
    """What a partner asked: ``digest`` is of the whole request, so that a repeat is known."""

    request_id: str
    digest: str
    token: str
    amount_minor: int
    currency: str
    notify_url: str = ""


@dataclass(slots=True)
class Book:
    """All that the wallet knows; every change is on the journal before it is answered."""

    home_currency: str
    journal: TextIOWrapper
    accounts: dict[str, Account] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    by_token: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, home_currency: str) -> Book:
        """Read the journal, drop a last line that was cut, and go on writing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_bytes() if path.exists() else b""
        whole = lines[: lines.rfind(b"\n") + 1]
        book = cls(home_currency, path.open("a", encoding="utf-8"))
        book.journal.truncate(len(whole))
        for line in whole.decode().splitlines():
            book._replay(json.loads(line))
        return book

    def enrol(self, account: str, opening_minor: int) -> Account:
        """The account, opened on first use."""
        known = self.accounts.get(account)
        if known is None:
            known = Account(account, secrets.token_urlsafe(18), opening_minor)
            self._keep(known)
        return known

    def link(self, account: str, rider_id: str) -> None:
        """Remember by which id the partner knows this account's owner."""
        known = self.accounts[account]
        if known.rider_id != rider_id:
            self._keep(replace(known, rider_id=rider_id))

    def top_up(self, account: str, amount_minor: int) -> Account | None:
        """Money paid in by its owner; None for an account nobody has."""
        known = self.accounts.get(account)
        if known is None:
            return None
        moved = self._moved(account, amount_minor)
        self._keep(moved)
        return moved

    def pay(self, order: PayOrder, rate: str, at: datetime, *, hold: bool) -> Payment | Refused:
        """Debit the account once; the same order again gives the same payment.

        ``rate`` converts the order's currency into the account's (HALF_UP to the minor unit). With
        ``hold`` the payment stays PROCESSING until ``complete``.
        """
        known = self.payments.get(order.request_id)
        if known is not None:
            if known.state is State.CANCELLED:
                return Refused.ORDER_IS_CLOSED
            return known if known.digest == order.digest else Refused.REPEAT_REQ_INCONSISTENT
        account = self.by_token.get(order.token)
        if account is None:
            return Refused.INVALID_TOKEN
        amount = Money(order.amount_minor, currency(order.currency))
        debit, _ = scale(amount, Decimal(rate), mode=Rounding.HALF_UP)
        payment = Payment(
            order.request_id,
            order.digest,
            account,
            order.amount_minor,
            order.currency,
            State.PROCESSING,
            f"W{len(self.payments) + 1:08d}{secrets.token_hex(4)}",
            debit_minor=debit.minor,
            rate=rate,
            notify_url=order.notify_url,
        )
        return self._keep(payment) if hold else self._settle(payment, at)

    def complete(self, request_id: str, at: datetime) -> Payment | None:
        """Decide a payment that was in process; None where there is none."""
        payment = self.payments.get(request_id)
        if payment is None or payment.state is not State.PROCESSING:
            return payment
        return self._settle(payment, at)

    def cancel(self, request_id: str, at: datetime) -> Payment | Refused:
        """Undo or forestall a payment; it stays closed for ever, also if it never arrived."""
        payment = self.payments.get(request_id)
        if payment is None:
            closed = Payment(
                request_id, "", "", 0, self.home_currency, State.CANCELLED, "", cancelled_at=at
            )
            return self._keep(closed)
        if payment.state is State.CANCELLED:
            return payment
        succeeded = payment.state is State.SUCCESS
        if (
            payment.paid_at is not None
            and at > day_start(wallet_day(payment.paid_at)) + CANCEL_WINDOW
        ):
            return Refused.CANCEL_WINDOW_EXCEED
        back = (self._moved(payment.account, payment.debit_minor),) if succeeded else ()
        return self._keep(
            replace(payment, state=State.CANCELLED, cancelled_at=at, had_succeeded=succeeded), *back
        )

    def refund(self, order: PayOrder, pay_request_id: str, at: datetime) -> Refund | Refused:
        """Give back part or all of a payment; ``order.request_id`` is the refundRequestId."""
        known = self.refunds.get(order.request_id)
        if known is not None:
            return known if known.digest == order.digest else Refused.REPEAT_REQ_INCONSISTENT
        payment = self.payments.get(pay_request_id)
        if payment is None:
            return Refused.ORDER_NOT_EXIST
        if payment.state is not State.SUCCESS:
            return Refused.ORDER_IS_CLOSED
        earlier = [r for r in self.refunds.values() if r.payment_request_id == payment.request_id]
        if (
            order.currency != payment.currency
            or sum(r.amount_minor for r in earlier) + order.amount_minor > payment.amount_minor
        ):
            return Refused.REFUND_AMOUNT_EXCEED
        amount = Money(order.amount_minor, currency(order.currency))
        debit, _ = scale(amount, Decimal(payment.rate), mode=Rounding.HALF_UP)
        return self._keep(
            Refund(
                order.request_id,
                order.digest,
                payment.request_id,
                order.amount_minor,
                order.currency,
                f"R{len(self.refunds) + 1:08d}{secrets.token_hex(4)}",
                at,
                debit.minor,
            ),
            self._moved(payment.account, debit.minor),
        )

    def find(self, request_id: str, payment_id: str = "") -> Payment | None:
        """A payment by its request id, or by the wallet's own id."""
        if request_id:
            return self.payments.get(request_id)
        return next((p for p in self.payments.values() if p.payment_id == payment_id), None)

    def acknowledge(self, request_id: str) -> None:
        """The partner has signed for the notification of this payment."""
        self._keep(replace(self.payments[request_id], acknowledged=True))

    def unacknowledged(self) -> Iterator[Payment]:
        """Payments of which the partner must still be told."""
        return (
            p
            for p in list(self.payments.values())
            if p.state is State.SUCCESS and not p.acknowledged
        )

    def _settle(self, payment: Payment, at: datetime) -> Payment:
        if self.accounts[payment.account].balance_minor < payment.debit_minor:
            code = Refused.USER_BALANCE_NOT_ENOUGH
            return self._keep(replace(payment, state=State.FAILED, result_code=code, paid_at=at))
        debited = self._moved(payment.account, -payment.debit_minor)
        return self._keep(replace(payment, state=State.SUCCESS, paid_at=at), debited)

    def _moved(self, account: str, by_minor: int) -> Account:
        known = self.accounts[account]
        return replace(known, balance_minor=known.balance_minor + by_minor)

    def _keep(self, record: _R, *moved: Account) -> _R:
        """Keep a record with the purses it moves in one write: a kill leaves all or nothing."""
        text = _line(record) + "".join(_line(it) for it in moved)
        self._hold(record)
        for it in moved:
            self._hold(it)
        self.journal.write(text)
        self.journal.flush()
        return record

    def _hold(self, record: Account | Payment | Refund) -> None:
        match record:
            case Account():
                self.accounts[record.account] = record
                self.by_token[record.token] = record.account
            case Payment():
                self.payments[record.request_id] = record
            case Refund():
                self.refunds[record.request_id] = record

    def _replay(self, line: Mapping[str, Any]) -> None:
        values = {name: value for name, value in line.items() if name != "kind"}
        for name in ("paid_at", "cancelled_at", "refunded_at"):
            if values.get(name):
                values[name] = datetime.fromisoformat(values[name])
        match line["kind"]:
            case "Account":
                self._hold(Account(**values))
            case "Payment":
                self._hold(Payment(**(values | {"state": State(values["state"])})))
            case _:
                self._hold(Refund(**values))


def _line(record: Account | Payment | Refund) -> str:
    return json.dumps({"kind": type(record).__name__, **asdict(record)}, default=_plain) + "\n"


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
