"""The requests and notifications of the partner protocol: values, their bytes, and back.

The client builds requests and parses answers, the wallet's server the other way round; both use
the values here, so neither can drift from the other. All paths are POST below ``BASE_PATH``.

Source: the published partner protocol; messages hold the fields that this project uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from transitpay.charging.partner_json import (
    Fields,
    Tree,
    read,
    write,
    write_amount,
    write_instant,
    write_optional_amount,
    write_quote,
)
from transitpay.charging.wallet_port import Declined, Succeeded, WalletQuote
from transitpay.errors import MalformedInput
from transitpay.money import Currency, Money

BASE_PATH = "/aps/api/v1/payments"
PAY_PATH = f"{BASE_PATH}/pay"
INQUIRY_PATH = f"{BASE_PATH}/inquiryPayment"
CANCEL_PATH = f"{BASE_PATH}/cancelPayment"
REFUND_PATH = f"{BASE_PATH}/refund"
NOTIFY_PATH = f"{BASE_PATH}/notifyPayment"


@dataclass(frozen=True, slots=True)
class Result:
    """``{resultCode, resultStatus, resultMessage}``: S and F are final, U is unknown."""

    code: str
    status: str
    message: str | None = None

    def __post_init__(self) -> None:
        assert self.status in ("S", "F", "U")


@dataclass(frozen=True, slots=True)
class PayRequest:
    """A debit on an auto-debit agreement. ``access_token`` names the rider's account there."""

    payment_request_id: str
    amount: Money
    method_type: str
    access_token: str
    order_id: str
    order_description: str
    expiry_at: datetime
    notify_url: str
    settlement_currency: Currency


@dataclass(frozen=True, slots=True)
class InquiryRequest:
    """Asks for a payment by our id or by the wallet's; one of them is given."""

    payment_request_id: str | None = None
    payment_id: str | None = None

    def __post_init__(self) -> None:
        assert self.payment_request_id or self.payment_id


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Cancels a payment by our id or by the wallet's; one of them is given."""

    payment_request_id: str | None = None
    payment_id: str | None = None

    def __post_init__(self) -> None:
        assert self.payment_request_id or self.payment_id


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Gives back all or a part of a payment, at its original rate."""

    refund_request_id: str
    payment_request_id: str
    amount: Money
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """The wallet's word on a payment, without being asked; its result is S or F, never U."""

    payment_request_id: str
    result: Result
    payment_id: str | None = None
    amount: Money | None = None
    paid_at: datetime | None = None
    customer_id: str | None = None
    settlement: Money | None = None
    quote: WalletQuote | None = None

    @property
    def outcome(self) -> Succeeded | Declined:
        """As evidence for ``decide``; the parser has checked that a success is complete."""
        if self.result.status == "F":
            return Declined(self.result.code)
        assert self.payment_id and self.paid_at and self.amount
        return Succeeded(self.payment_id, self.paid_at, self.amount, self.settlement, self.quote)


def build_pay(request: PayRequest) -> bytes:
    """The body of ``pay``."""
    amount = write_amount(request.amount)
    return write(
        {
            "order": {
                "referenceOrderId": request.order_id,
                "orderDescription": request.order_description,
                "orderAmount": amount,
            },
            "paymentRequestId": request.payment_request_id,
            "paymentAmount": amount,
            "paymentMethod": {
                "paymentMethodType": request.method_type,
                "paymentMethodId": request.access_token,
            },
            "paymentFactor": {"isAgreementPayment": "true"},
            "paymentExpiryTime": write_instant(request.expiry_at),
            "paymentNotifyUrl": request.notify_url,
            "settlementStrategy": {"settlementCurrency": request.settlement_currency.code},
        }
    )


def parse_pay(body: bytes) -> PayRequest:
    """A ``pay`` request. Raises: MalformedInput naming the field."""
    fields = read(body)
    order, method = fields.within("order"), fields.within("paymentMethod")
    factor = fields.within("paymentFactor")
    if factor.flag("isAgreementPayment") is not True:
        raise MalformedInput("bad_field", 'is not "true"', field=factor.name("isAgreementPayment"))
    settle = fields.within("settlementStrategy")
    return PayRequest(
        fields.text("paymentRequestId", 64),
        fields.amount("paymentAmount"),
        method.text("paymentMethodType", 64),
        method.text("paymentMethodId", 128),
        order.text("referenceOrderId", 64),
        order.text("orderDescription", 256),
        fields.instant("paymentExpiryTime"),
        fields.text("paymentNotifyUrl", 1024),
        settle.unit("settlementCurrency"),
    )


def build_inquiry(request: InquiryRequest) -> bytes:
    """The body of ``inquiryPayment``."""
    return _build_by_id(request)


def parse_inquiry(body: bytes) -> InquiryRequest:
    """An ``inquiryPayment`` request. Raises: MalformedInput naming the field."""
    return InquiryRequest(*_ids(body))


def build_cancel(request: CancelRequest) -> bytes:
    """The body of ``cancelPayment``."""
    return _build_by_id(request)


def parse_cancel(body: bytes) -> CancelRequest:
    """A ``cancelPayment`` request. Raises: MalformedInput naming the field."""
    return CancelRequest(*_ids(body))


def build_refund(request: RefundRequest) -> bytes:
    """The body of ``refund``."""
    return write(
        {
            "refundRequestId": request.refund_request_id,
            "paymentRequestId": request.payment_request_id,
            "refundAmount": write_amount(request.amount),
            "refundReason": request.reason,
        }
    )


def parse_refund(body: bytes) -> RefundRequest:
    """A ``refund`` request. Raises: MalformedInput naming the field."""
    fields = read(body)
    return RefundRequest(
        fields.text("refundRequestId", 64),
        fields.text("paymentRequestId", 64),
        fields.amount("refundAmount"),
        fields.optional_text("refundReason", 256),
    )


def build_notification(notice: Notification) -> bytes:
    """The body of ``notifyPayment``, which the wallet sends to us."""
    assert notice.result.status != "U", "a notification is never unknown"
    return write(
        {
            "paymentResult": write_result(notice.result),
            "paymentRequestId": notice.payment_request_id,
            "paymentId": notice.payment_id,
            "paymentAmount": write_optional_amount(notice.amount),
            "paymentTime": write_instant(notice.paid_at),
            "customerId": notice.customer_id,
            "settlementAmount": write_optional_amount(notice.settlement),
            "settlementQuote": write_quote(notice.quote),
        }
    )


def parse_notification(body: bytes) -> Notification:
    """A ``notifyPayment`` request. Raises: MalformedInput naming the field.

    A success must name its payment, amount and time; a refusal need not.
    """
    fields = read(body)
    result = read_result(fields.within("paymentResult"))
    if result.status == "U":
        raise MalformedInput(
            "bad_field", "a notification is never U", field="paymentResult.resultStatus"
        )
    success = result.status == "S"
    return Notification(
        fields.text("paymentRequestId", 64),
        result,
        fields.text("paymentId", 64) if success else fields.optional_text("paymentId", 64),
        fields.amount("paymentAmount") if success else fields.optional_amount("paymentAmount"),
        fields.instant("paymentTime") if success else fields.optional_instant("paymentTime"),
        fields.optional_text("customerId", 64),
        fields.optional_amount("settlementAmount"),
        fields.optional_quote("settlementQuote"),
    )


def write_result(result: Result) -> dict[str, Tree]:
    """A result as it stands in every answer."""
    return {
        "resultCode": result.code,
        "resultStatus": result.status,
        "resultMessage": result.message,
    }


def read_result(fields: Fields) -> Result:
    """A result. Raises: MalformedInput naming the field."""
    code, status = fields.text("resultCode", 64), fields.text("resultStatus", 1)
    if status not in ("S", "F", "U"):
        raise MalformedInput(
            "bad_field", f"{status!r} is not S, F or U", field=fields.name("resultStatus")
        )
    return Result(code, status, fields.optional_text("resultMessage", 256))


def _build_by_id(request: InquiryRequest | CancelRequest) -> bytes:
    return write({"paymentRequestId": request.payment_request_id, "paymentId": request.payment_id})


def _ids(body: bytes) -> tuple[str | None, str | None]:
    fields = read(body)
    ours, theirs = (
        fields.optional_text("paymentRequestId", 64),
        fields.optional_text("paymentId", 64),
    )
    if ours is None and theirs is None:
        raise MalformedInput("missing_field", "or paymentId is required", field="paymentRequestId")
    return ours, theirs
