"""Messages are strings all through, survive the way there and back, and name a faulty field."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from transitpay.charging.partner_answers import (
    OK,
    PaymentFacts,
    build_command_answer,
    build_inquiry_answer,
    build_notification_answer,
    build_pay_answer,
    parse_cancel_answer,
    parse_inquiry_answer,
    parse_notification_answer,
    parse_pay_answer,
    parse_refund_answer,
)
from transitpay.charging.partner_messages import (
    CancelRequest,
    InquiryRequest,
    Notification,
    PayRequest,
    RefundRequest,
    Result,
    build_cancel,
    build_inquiry,
    build_notification,
    build_pay,
    build_refund,
    parse_cancel,
    parse_inquiry,
    parse_notification,
    parse_pay,
    parse_refund,
)
from transitpay.charging.wallet_port import (
    Declined,
    Done,
    NotFound,
    Succeeded,
    Unknown,
    WalletQuote,
)
from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD, Money

AT = datetime(2026, 11, 2, 4, 1, tzinfo=UTC)
PAY = PayRequest(
    "c17-1", Money(4791, CNY), "SHENZHEN_TONG", "tok-1", "c17", "MTR 2026-11-02", AT,
    "https://gateway.example/notify", CNY,
)  # fmt: skip
QUOTE = WalletQuote("q1", HKD, CNY, Decimal("0.9150"), AT, AT, True)
FACTS = PaymentFacts("w1", AT, Money(5220, HKD), "cust-1", Money(5220, HKD), QUOTE)
PAID = Succeeded("w1", AT, Money(5220, HKD), Money(5220, HKD), QUOTE)
FAIL = Result("PROCESS_FAIL", "F")
DOUBT = Result("PAYMENT_IN_PROCESS", "U")


def test_a_pay_request_is_compact_and_all_its_scalars_are_strings() -> None:
    assert build_pay(PAY) == (
        b'{"order":{"referenceOrderId":"c17","orderDescription":"MTR 2026-11-02",'
        b'"orderAmount":{"currency":"CNY","value":"4791"}},"paymentRequestId":"c17-1",'
        b'"paymentAmount":{"currency":"CNY","value":"4791"},'
        b'"paymentMethod":{"paymentMethodType":"SHENZHEN_TONG","paymentMethodId":"tok-1"},'
        b'"paymentFactor":{"isAgreementPayment":"true"},'
        b'"paymentExpiryTime":"2026-11-02T12:01:00+08:00",'
        b'"paymentNotifyUrl":"https://gateway.example/notify",'
        b'"settlementStrategy":{"settlementCurrency":"CNY"}}'
    )


def test_every_request_reads_back_as_it_was() -> None:
    assert parse_pay(build_pay(PAY)) == PAY
    for inquiry in (InquiryRequest("c17-1"), InquiryRequest(payment_id="w1")):
        assert parse_inquiry(build_inquiry(inquiry)) == inquiry
    assert parse_cancel(build_cancel(CancelRequest("c17-1"))) == CancelRequest("c17-1")
    for refund in (
        RefundRequest("r1", "c17-1", Money(1, CNY)),
        RefundRequest("r1", "c17-1", Money(1, CNY), "corrected"),
    ):
        assert parse_refund(build_refund(refund)) == refund


def test_a_notification_reads_back_and_becomes_evidence() -> None:
    notice = Notification(
        payment_request_id="c17-1", result=OK, payment_id="w1", amount=Money(5220, HKD),
        paid_at=AT, customer_id="cust-1", settlement=Money(5220, HKD), quote=QUOTE,
    )  # fmt: skip
    assert parse_notification(build_notification(notice)) == notice
    assert notice.outcome == PAID
    refused = Notification("c17-1", FAIL)
    assert parse_notification(build_notification(refused)) == refused
    assert refused.outcome == Declined("PROCESS_FAIL")
    assert parse_notification_answer(build_notification_answer()) == OK


def test_the_answers_to_pay_become_outcomes() -> None:
    assert parse_pay_answer(build_pay_answer(OK, FACTS)) == PAID
    assert parse_pay_answer(build_pay_answer(FAIL)) == Declined("PROCESS_FAIL")
    assert parse_pay_answer(build_pay_answer(DOUBT)) == Unknown("PAYMENT_IN_PROCESS")
    assert parse_pay_answer(build_pay_answer(Result("ORDER_NOT_EXIST", "F"))) == NotFound()


def test_in_an_inquiry_the_payments_own_result_counts() -> None:
    assert parse_inquiry_answer(build_inquiry_answer(OK, OK, FACTS)) == PAID
    assert parse_inquiry_answer(build_inquiry_answer(FAIL, OK, FACTS)) == PAID
    assert parse_inquiry_answer(build_inquiry_answer(OK, FAIL)) == Declined("PROCESS_FAIL")
    assert parse_inquiry_answer(build_inquiry_answer(OK, DOUBT)) == Unknown("PAYMENT_IN_PROCESS")
    assert parse_inquiry_answer(build_inquiry_answer(OK)) == Unknown("SUCCESS")
    assert parse_inquiry_answer(build_inquiry_answer(FAIL)) == Unknown("PROCESS_FAIL")
    missing = Result("ORDER_NOT_EXIST", "F")
    assert parse_inquiry_answer(build_inquiry_answer(missing)) == NotFound()


def test_the_answers_to_cancel_and_refund_become_outcomes() -> None:
    cancelled = build_command_answer(OK, reference="w1", at=AT)
    assert parse_cancel_answer(cancelled) == Done("w1", AT)
    assert parse_cancel_answer(build_command_answer(FAIL)) == Declined("PROCESS_FAIL")
    assert parse_cancel_answer(build_command_answer(DOUBT)) == Unknown("PAYMENT_IN_PROCESS")
    gone = build_command_answer(Result("ORDER_NOT_EXIST", "F"))
    assert parse_cancel_answer(gone) == NotFound()
    refunded = build_command_answer(OK, reference="wr1", at=AT, refund=True)
    assert parse_refund_answer(refunded) == Done("wr1", AT)


@pytest.mark.parametrize(
    ("price", "read"),
    [('"0.915"', "0.915"), ("0.915", "0.915"), ("0.9150000001", "0.9150000001"), ("1", "1"),
     ("1e-7", "0.0000001")],
)  # fmt: skip
def test_a_quotes_price_may_be_a_string_or_a_number_and_stays_exact(price: str, read: str) -> None:
    body = build_pay_answer(OK, FACTS).replace(b'"0.9150"', price.encode())
    outcome = parse_pay_answer(body)
    assert isinstance(outcome, Succeeded) and outcome.quote is not None
    assert outcome.quote.price == Decimal(read)


def changed(path: str, value: object) -> bytes:
    tree = json.loads(build_pay_answer(OK, FACTS))
    inner, *names = tree, *path.split(".")
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = value
    return json.dumps(tree).encode()


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("result.resultStatus", "X", "result.resultStatus"),
        ("result", None, "result"),
        ("result", "S", "result"),
        ("paymentId", None, "paymentId"),
        ("paymentId", "", "paymentId"),
        ("paymentId", 17, "paymentId"),
        ("paymentId", "x" * 65, "paymentId"),
        ("paymentTime", "2026-11-02T12:00:00", "paymentTime"),
        ("paymentTime", "2026-11-02", "paymentTime"),
        ("paymentTime", "0001-01-01T00:00:00+08:00", "paymentTime"),
        ("paymentTime", "9999-12-31T23:59:59-08:00", "paymentTime"),
        ("paymentTime", "1999-12-31T23:59:59+08:00", "paymentTime"),
        ("paymentId", "w\x001", "paymentId"),
        ("paymentId", "w\ud800", "paymentId"),
        ("paymentAmount.value", 5220, "paymentAmount.value"),
        ("paymentAmount.value", "52.20", "paymentAmount.value"),
        ("paymentAmount.value", "-1", "paymentAmount.value"),
        ("paymentAmount.value", "٣", "paymentAmount.value"),
        ("paymentAmount.currency", "XYZ", "paymentAmount.currency"),
        ("settlementQuote.quoteCurrencyPair", "HKDCNY", "settlementQuote.quoteCurrencyPair"),
        ("settlementQuote.quoteCurrencyPair", "HKD/USD", "settlementQuote.quoteCurrencyPair"),
        ("settlementQuote.quotePrice", "0", "settlementQuote.quotePrice"),
        ("settlementQuote.quotePrice", "1,2", "settlementQuote.quotePrice"),
        ("settlementQuote.quotePrice", None, "settlementQuote.quotePrice"),
        ("settlementQuote.guaranteed", True, "settlementQuote.guaranteed"),
        ("settlementQuote.guaranteed", "yes", "settlementQuote.guaranteed"),
    ],
)
def test_a_fault_names_its_field(path: str, value: object, field: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        parse_pay_answer(changed(path, value))
    assert caught.value.field == field


@pytest.mark.parametrize("price", [b"1e99999999999999999999", b"1e999999999", b"-0e-999999999"])
def test_a_price_that_would_fill_the_memory_is_no_price(price: bytes) -> None:
    body = changed("settlementQuote.quotePrice", "PRICE").replace(b'"PRICE"', price)
    with pytest.raises(MalformedInput) as caught:
        parse_pay_answer(body)
    assert caught.value.field == "settlementQuote.quotePrice"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'"x"', b"\xff{}", b'{"a":NaN}', b'{"a":"1","a":"2"}', b"[" * 5000],
)
def test_what_is_not_one_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedInput) as caught:
        parse_pay_answer(body)
    assert caught.value.code == "bad_json"


def test_what_is_unknown_is_let_through() -> None:
    assert parse_pay_answer(changed("newField", {"deep": [1, True]})) == PAID


def test_requests_name_their_faults_too() -> None:
    with pytest.raises(MalformedInput, match="isAgreementPayment"):
        parse_pay(build_pay(PAY).replace(b'"isAgreementPayment":"true"', b'"x":"y"'))
    with pytest.raises(MalformedInput, match="paymentRequestId"):
        parse_inquiry(b"{}")
    with pytest.raises(MalformedInput, match="never U"):
        parse_notification(
            b'{"paymentResult":{"resultCode":"X","resultStatus":"U"},"paymentRequestId":"c"}'
        )
    with pytest.raises(MalformedInput, match="paymentTime"):
        parse_notification(
            b'{"paymentResult":{"resultCode":"SUCCESS","resultStatus":"S"},'
            b'"paymentRequestId":"c","paymentId":"w",'
            b'"paymentAmount":{"currency":"CNY","value":"1"}}'
        )
