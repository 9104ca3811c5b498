"""The answers of the partner protocol: built by the wallet's server, reduced to outcomes by us.

U is never a failure. An inquiry has two results: ``result`` is of the call, ``paymentResult`` of
the payment, and where the payment's is given it counts, whatever the call's says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from transitpay.charging.partner_json import (
    Fields,
    Tree,
    read,
    write,
    write_instant,
    write_optional_amount,
    write_quote,
)
from transitpay.charging.partner_messages import Result, read_result, write_result
from transitpay.charging.result_codes import ORDER_NOT_EXIST, SUCCESS
from transitpay.charging.wallet_port import (
    CommandOutcome,
    Declined,
    Done,
    NotFound,
    PaymentOutcome,
    Succeeded,
    Unknown,
    WalletQuote,
)
from transitpay.money import Money

#: The result of what went well.
OK = Result(SUCCESS, "S", "success")


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """What a wallet tells about a payment beside its result."""

    payment_id: str | None = None
    paid_at: datetime | None = None
    amount: Money | None = None
    customer_id: str | None = None
    settlement: Money | None = None
    quote: WalletQuote | None = None


def build_pay_answer(result: Result, facts: PaymentFacts | None = None) -> bytes:
    """The wallet's answer to ``pay``."""
    return write({"result": write_result(result), **_facts(facts)})


def parse_pay_answer(body: bytes) -> PaymentOutcome:
    """What became of a payment request. Raises: MalformedInput naming the field."""
    fields = read(body)
    return _payment(fields, read_result(fields.within("result")))


def build_inquiry_answer(
    result: Result, payment: Result | None = None, facts: PaymentFacts | None = None
) -> bytes:
    """The wallet's answer to ``inquiryPayment``; ``payment`` is the result of the payment."""
    told = None if payment is None else write_result(payment)
    return write({"result": write_result(result), "paymentResult": told, **_facts(facts)})


def parse_inquiry_answer(body: bytes) -> PaymentOutcome:
    """What the wallet knows of a payment. Raises: MalformedInput naming the field.

    A call that failed says nothing about the payment (Unknown), unless it says that there is no
    such order (NotFound).
    """
    fields = read(body)
    call = read_result(fields.within("result"))
    payment = fields.optional_within("paymentResult")
    if payment is not None:
        return _payment(fields, read_result(payment))
    if call.status == "F" and call.code == ORDER_NOT_EXIST:
        return NotFound()
    return Unknown(call.code)


def build_command_answer(
    result: Result,
    *,
    reference: str | None = None,
    at: datetime | None = None,
    refund: bool = False,
) -> bytes:
    """The wallet's answer to ``cancelPayment``, or to ``refund`` where ``refund`` is true."""
    names = ("refundId", "refundTime") if refund else ("paymentId", "cancelTime")
    return write({"result": write_result(result), names[0]: reference, names[1]: write_instant(at)})


def parse_cancel_answer(body: bytes) -> CommandOutcome:
    """What became of a cancel. Raises: MalformedInput naming the field."""
    return _command(read(body), "paymentId", "cancelTime")


def parse_refund_answer(body: bytes) -> CommandOutcome:
    """What became of a refund. Raises: MalformedInput naming the field."""
    return _command(read(body), "refundId", "refundTime")


def build_notification_answer(result: Result = OK) -> bytes:
    """Our answer to ``notifyPayment``: S once it is stored; it is signed like any answer."""
    return write({"result": write_result(result)})


def parse_notification_answer(body: bytes) -> Result:
    """What the partner made of a notification; not S = it is sent again. Raises: MalformedInput."""
    return read_result(read(body).within("result"))


def _payment(fields: Fields, result: Result) -> PaymentOutcome:
    if result.status == "U":
        return Unknown(result.code)
    if result.status == "F":
        return NotFound() if result.code == ORDER_NOT_EXIST else Declined(result.code)
    return Succeeded(
        fields.text("paymentId", 64),
        fields.instant("paymentTime"),
        fields.amount("paymentAmount"),
        fields.optional_amount("settlementAmount"),
        fields.optional_quote("settlementQuote"),
    )


def _command(fields: Fields, reference: str, time: str) -> CommandOutcome:
    result = read_result(fields.within("result"))
    if result.status == "U":
        return Unknown(result.code)
    if result.status == "F":
        return NotFound() if result.code == ORDER_NOT_EXIST else Declined(result.code)
    return Done(fields.optional_text(reference, 64), fields.optional_instant(time))


def _facts(facts: PaymentFacts | None) -> dict[str, Tree]:
    if facts is None:
        return {}
    return {
        "paymentId": facts.payment_id,
        "paymentTime": write_instant(facts.paid_at),
        "paymentAmount": write_optional_amount(facts.amount),
        "customerId": facts.customer_id,
        "settlementAmount": write_optional_amount(facts.settlement),
        "settlementQuote": write_quote(facts.quote),
    }
