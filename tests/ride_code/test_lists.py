"""Trust and deny lists survive JSON, and a bad file names its field."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from ride_code_scheme import AT, Scheme

from transitpay.errors import MalformedInput
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.trust_list import KeyStatus, TrustList


def _compromised(scheme: Scheme) -> TrustList:
    return scheme.trust(status=KeyStatus.COMPROMISED, compromised_at=AT)


def test_a_trust_list_survives_json(scheme: Scheme) -> None:
    known = _compromised(scheme)
    assert TrustList.from_json(known.to_json()) == known


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key_id", 65536), ("key_id", "1"), ("key_id", True), ("algorithm", "none"),
        ("algorithm", 3), ("public_key", "00"), ("public_key", "ZZ"), ("public_key", "04" * 33),
        ("issuer", ""), ("destinations", -1), ("modes", 256), ("not_before", "yesterday"),
        ("not_before", 0), ("not_before", "2026-06-01t04:00:00z"),
        ("not_before", "2026-6-1T4:0:0Z"), ("not_before", "\uff12026-06-01T04:00:00Z"),
        ("not_after", "2000-01-01T00:00:00Z"), ("status", "ok"), ("test", "no"),
        ("compromised_at", 5), ("colour", "red"),
    ],
)  # fmt: skip
def test_a_bad_key_field_is_named(scheme: Scheme, field: str, value: object) -> None:
    source = json.loads(_compromised(scheme).to_json())
    source["keys"][0][field] = value
    with pytest.raises(MalformedInput) as caught:
        TrustList.from_json(json.dumps(source))
    assert caught.value.field == f"keys[0].{field}"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', '{"version":1,"version":1}'])
def test_what_is_no_list_is_refused(text: str) -> None:
    for read in (TrustList.from_json, DenyList.from_json):
        with pytest.raises(MalformedInput):
            read(text)


def test_only_a_compromised_key_has_an_instant_of_compromise(scheme: Scheme) -> None:
    with pytest.raises(MalformedInput, match="compromised key only"):
        scheme.record(1, compromised_at=AT)


def test_a_key_ends_after_it_begins(scheme: Scheme) -> None:
    with pytest.raises(MalformedInput, match="later than"):
        scheme.record(1, not_before=AT, not_after=AT)
    scheme.record(1, not_before=AT, not_after=AT + timedelta(seconds=1))


def test_a_deny_list_survives_json_and_is_exact() -> None:
    known = DenyList(7, {("alipayhk", "00" * 8): 3, ("alipay", "ff" * 8): 0})
    assert DenyList.from_json(known.to_json()) == known
    assert known.denies("alipayhk", "00" * 8, 3) and known.denies("alipayhk", "00" * 8, 0)
    assert not known.denies("alipayhk", "00" * 8, 4)
    assert not known.denies("alipay", "00" * 8, 3)
    assert known.denies("alipay", "ff" * 8, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("issuer", 1), ("rider_id", "00"), ("rider_id", "AA" * 8), ("serial", 1 << 32), ("why", 1)],
)
def test_a_bad_deny_entry_is_named(field: str, value: object) -> None:
    entry = {"issuer": "alipayhk", "rider_id": "00" * 8, "serial": 1, field: value}
    with pytest.raises(MalformedInput) as caught:
        DenyList.from_json(json.dumps({"version": 1, "entries": [entry]}))
    assert caught.value.field == f"entries[0].{field}"


def test_a_rider_stands_once_in_a_deny_list() -> None:
    entry = {"issuer": "alipayhk", "rider_id": "00" * 8, "serial": 1}
    with pytest.raises(MalformedInput, match="twice"):
        DenyList.from_json(json.dumps({"version": 1, "entries": [entry, entry]}))
