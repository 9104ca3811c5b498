"""The protocol page tells what the code does: its example verifies, its codes are all there."""

import re
from datetime import UTC, datetime
from pathlib import Path

from transitpay.charging.partner_messages import (
    INQUIRY_PATH,
    InquiryRequest,
    build_inquiry,
)
from transitpay.charging.result_codes import MEANING
from transitpay.charging.signature import (
    Believed,
    SignatureRefusal,
    Signer,
    load_private_key,
    load_public_key,
    signed_text,
    verify_request,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "partner-protocol.md"
AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
BODY = build_inquiry(InquiryRequest("c-kicxtnb2dz7adgkw6tsuuhahfq-1"))


def test_the_worked_example_is_reproduced_and_verified() -> None:
    page = PAGE.read_text()
    shown = dict(re.findall(r"^(Client-Id|Request-Time|Signature): (.*)$", page, re.M))
    keys = re.findall(r"-----BEGIN [^-]*-----.*?-----END [^-]*-----\n", page, re.S)
    private, public = (key.encode() for key in keys)
    signer = Signer("TRANSITPAY-TEST", 1, load_private_key(private))
    assert signer.request_headers("POST", INQUIRY_PATH, BODY, AT) == shown
    ring = {"TRANSITPAY-TEST": {1: load_public_key(public)}}
    result = verify_request("POST", INQUIRY_PATH, list(shown.items()), BODY, ring, AT)
    assert isinstance(result, Believed)
    text = signed_text("POST", INQUIRY_PATH, "TRANSITPAY-TEST", shown["Request-Time"], BODY)
    assert text.decode() in page


def test_every_result_code_and_refusal_stands_on_the_page() -> None:
    page = PAGE.read_text()
    assert [code for code in MEANING if f"`{code}`" not in page] == []
    assert [reason for reason in SignatureRefusal if f"`{reason}`" not in page] == []
