"""Trust, deny and config lists as records: what goes in comes out, and verdicts are the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ride_code_scheme import AT, Scheme

from transitpay.errors import MalformedInput
from transitpay.ride_code.deny_list import DenyList, DenyTable, deny_record
from transitpay.ride_code.lists.config_list import config_records, config_values
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.lists.trust_records import trust_list_of, trust_records
from transitpay.ride_code.trust_list import KeyStatus, TrustList

RIDERS = st.integers(0, 2**64 - 1).map(lambda n: f"{n:016x}")
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=24)


def numbered(scheme: Scheme) -> TrustList:
    hacked = scheme.record(
        1, issuer_number=7, status=KeyStatus.COMPROMISED, compromised_at=AT - timedelta(1)
    )
    return TrustList.of(
        3,
        [
            scheme.record(1, issuer_number=7, test=True),
            scheme.record(2, issuer_number=65535, status=KeyStatus.RETIRED),
            replace(hacked, key_id=9),
        ],
    )


def test_a_trust_list_survives_its_records_and_its_json(scheme: Scheme) -> None:
    known = numbered(scheme)
    records = trust_records(known)
    assert len(records) == 3 * 88
    table = ListKind.TRUST.table(records)
    assert table.is_sorted() and trust_list_of(3, table) == known
    assert TrustList.from_json(known.to_json()) == known
    assert known.issuer_numbers() == {"alipayhk": 7, "alipay": 65535}


def test_a_trust_record_needs_the_number_of_its_issuer(scheme: Scheme) -> None:
    with pytest.raises(MalformedInput) as caught:
        trust_records(scheme.trust())
    assert caught.value.field == "issuer_number"


def test_a_trust_record_ends_in_2106_at_the_latest(scheme: Scheme) -> None:
    last = datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC)
    for end, fits in ((last, True), (last + timedelta(seconds=1), False)):
        trust = TrustList.of(1, [scheme.record(1, issuer_number=1, not_after=end)])
        if fits:
            assert trust_list_of(1, ListKind.TRUST.table(trust_records(trust))) == trust
            continue
        with pytest.raises(MalformedInput) as caught:
            trust_records(trust)
        assert caught.value.field == "not_after"


@pytest.mark.parametrize("number", [0, 65536, -1, True, "7"])
def test_an_issuer_number_out_of_its_range_is_refused(scheme: Scheme, number: object) -> None:
    source = numbered(scheme).to_object()
    source["keys"][0]["issuer_number"] = number  # type: ignore[index] # JSON of our own making
    with pytest.raises(MalformedInput):
        TrustList.from_object(source)


@pytest.mark.parametrize(
    ("offset", "value"),
    [(2, 3), (2, 0), (3, 4), (3, 0), (4, 2), (20, 0), (22, 9), (55, 1), (87, 65), (16, 1)],
)
def test_a_trust_record_that_says_something_unknown_is_left_out_and_the_others_stand(
    scheme: Scheme, offset: int, value: int
) -> None:
    known = TrustList.of(1, [scheme.record(k, issuer_number=1) for k in (1, 2)])
    records = bytearray(trust_records(known))
    records[offset] = value
    if offset == 20:
        records[21] = 0
    assert set(trust_list_of(1, ListKind.TRUST.table(records)).keys) == {2}


@given(st.dictionaries(st.tuples(st.sampled_from(("a", "b")), RIDERS), st.integers(0, 9)), RIDERS)
def test_a_deny_table_denies_whom_the_deny_list_denies(
    serials: dict[tuple[str, str], int], stranger: str
) -> None:
    numbers = {"a": 2, "b": 513}
    records = b"".join(sorted(deny_record(numbers[i], r, n) for (i, r), n in serials.items()))
    table = DenyTable(4, ListKind.DENY.table(records), numbers)
    known = DenyList(4, serials)
    asked = {*serials, ("a", stranger), ("b", stranger), ("c", stranger)}
    for issuer, rider in asked:
        for serial in (0, 4, 9, 10):
            expected = known.denies(issuer, rider, serial)
            assert table.denies(issuer, rider, serial) is expected


def test_a_serial_up_to_the_listed_one_is_denied_and_judged_so(scheme: Scheme) -> None:
    records = deny_record(7, "0011223344556677", 5)
    table = DenyTable(1, ListKind.DENY.table(records), numbered(scheme).issuer_numbers())
    assert scheme.reason(scheme.code(serial=5), deny=table) == "denied"
    assert scheme.reason(scheme.code(serial=6), deny=table) == "accepted"


@given(st.dictionaries(st.from_regex(r"[a-z_.A-Z]{1,32}", fullmatch=True), WORDS, max_size=9))
def test_settings_survive_their_records(values: dict[str, str]) -> None:
    table = ListKind.CONFIG.table(config_records(values))
    assert table.is_sorted() and config_values(table) == values


def test_a_setting_is_at_most_96_bytes_under_a_name_of_at_most_32() -> None:
    assert config_values(ListKind.CONFIG.table(config_records({"n" * 32: "é" * 48})))
    for values in ({"n": "é" * 49}, {"n" * 33: ""}, {"": "x"}, {"é": "x"}, {"n": "a\0b"}):
        with pytest.raises(MalformedInput):
            config_records(values)


def test_a_setting_that_is_no_text_is_as_if_it_were_not_there() -> None:
    records = bytearray(config_records({"a": "1", "b": "2"}))
    records[32] = 0xFF
    assert config_values(ListKind.CONFIG.table(records)) == {"b": "2"}
