"""What a sandbox wallet answers to pay, inquire, cancel and refund: bytes in, bytes out.

HTTP and signatures stand in ``server``; money and its states in ``accounts``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from transitpay.charging.partner_answers import (
    OK,
    PaymentFacts,
    build_command_answer,
    build_inquiry_answer,
    build_pay_answer,
)
from transitpay.charging.partner_messages import (
    Result,
    parse_cancel,
    parse_inquiry,
    parse_pay,
    parse_refund,
)
from transitpay.clock import Clock
from transitpay.errors import MalformedInput
from transitpay.money import CONTEXT
from transitpay.sandbox.rate_feed import Feed
from transitpay.sandbox.wallet.accounts import Book, Payment, PayOrder, Refused, State
from transitpay.sandbox.wallet.config import WalletConfig, WalletKeys
from transitpay.sandbox.wallet.faults import Fault, FaultPlan
from transitpay.sandbox.wallet.notices import Notices, facts_of

#: What the wallet earns on its own rate: the rider's price is the mid and this part of it.
_WALLET_MARGIN = Decimal("1.002")
_RATE_STEP = Decimal("0.00000001")
_IN_PROCESS = Result("PAYMENT_IN_PROCESS", "U", "the payment is being processed")


class ConnectionCut(Exception):
    """A fault: the connection ends here without an answer."""


@dataclass(slots=True)
class Wallet:
    """One running wallet: its book, keys, faults and files."""

    config: WalletConfig
    keys: WalletKeys
    clock: Clock
    book: Book
    faults: FaultPlan
    notices: Notices
    market: Feed
    folder: Path

    def pay(self, body: bytes) -> tuple[bytes, Payment | None, Fault | None]:
        """Decide a ``pay``: the answer, the payment if it succeeded, and the fault that strikes.

        Raises: MalformedInput naming the field; ConnectionCut for a request that gets lost.
        """
        request = parse_pay(body)
        if request.settlement_currency != request.amount.currency:
            raise MalformedInput("bad_field", "differs", field="settlementCurrency")
        now = self.clock.now()
        fault = self.faults.strike(request.payment_request_id, now)
        if fault is Fault.LOST_REQUEST:
            raise ConnectionCut
        unit = request.amount.currency.code
        rate = self._rate(unit, now)
        if rate is None:
            return build_pay_answer(_failed("CURRENCY_NOT_SUPPORT")), None, None
        order = PayOrder(
            request.payment_request_id,
            hashlib.sha256(body).hexdigest(),
            request.access_token,
            request.amount.minor,
            unit,
            request.notify_url,
        )
        done = self.book.pay(order, rate, now, hold=fault is Fault.UNKNOWN)
        if isinstance(done, Refused):
            return build_pay_answer(_failed(done)), None, fault
        result = _result_of(done)
        facts = self._facts(done) if result.status == "S" else None
        paid = done if result.status == "S" else None
        return build_pay_answer(result, facts), paid, fault

    def inquire(self, body: bytes) -> bytes:
        """Answer an ``inquiryPayment``; what was in process is decided by now."""
        asked = parse_inquiry(body)
        found = self.book.find(asked.payment_request_id or "", asked.payment_id or "")
        if found is None:
            return build_inquiry_answer(_failed(Refused.ORDER_NOT_EXIST))
        if found.state is State.PROCESSING:
            decided = self.book.complete(found.request_id, self.clock.now())
            assert decided is not None
            found = decided
            if found.state is State.SUCCESS:
                self.notices.add(found)
        result = _result_of(found)
        facts = self._facts(found) if result.status == "S" else None
        return build_inquiry_answer(OK, result, facts)

    def cancel(self, body: bytes) -> bytes:
        """Answer a ``cancelPayment``."""
        asked = parse_cancel(body)
        request_id = asked.payment_request_id
        if request_id is None:
            found = self.book.find("", asked.payment_id or "")
            if found is None:
                return build_command_answer(_failed(Refused.ORDER_NOT_EXIST))
            request_id = found.request_id
        done = self.book.cancel(request_id, self.clock.now())
        if isinstance(done, Refused):
            return build_command_answer(_failed(done))
        return build_command_answer(OK, reference=done.payment_id or None, at=done.cancelled_at)

    def refund(self, body: bytes) -> bytes:
        """Answer a ``refund``."""
        asked = parse_refund(body)
        order = PayOrder(
            asked.refund_request_id,
            hashlib.sha256(body).hexdigest(),
            "",
            asked.amount.minor,
            asked.amount.currency.code,
        )
        done = self.book.refund(order, asked.payment_request_id, self.clock.now())
        if isinstance(done, Refused):
            return build_command_answer(_failed(done), refund=True)
        return build_command_answer(OK, reference=done.refund_id, at=done.refunded_at, refund=True)

    def _rate(self, unit: str, at: datetime) -> str | None:
        """The price of one ``unit`` in the home currency; None if it is not converted here."""
        if unit == self.config.home_currency:
            return "1"
        if not self.config.converts or unit != "HKD":
            return None
        minute = at - timedelta(seconds=at.second, microseconds=at.microsecond)
        price = CONTEXT.multiply(self.market.mid(minute), _WALLET_MARGIN)
        return format(price.quantize(_RATE_STEP, ROUND_HALF_EVEN, CONTEXT), "f")

    def _facts(self, payment: Payment) -> PaymentFacts:
        return facts_of(payment, self.config.home_currency)


def _result_of(payment: Payment) -> Result:
    match payment.state:
        case State.SUCCESS:
            return OK
        case State.PROCESSING:
            return _IN_PROCESS
        case State.CANCELLED:
            return _failed(Refused.ORDER_IS_CLOSED)
        case State.FAILED:
            return _failed(payment.result_code or "PROCESS_FAIL")


def _failed(code: str) -> Result:
    return Result(str(code), "F", "refused")
