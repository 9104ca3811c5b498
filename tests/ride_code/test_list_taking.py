"""What becomes of a received list: taken, unchanged, or refused with exactly one reason."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from list_scheme import AT, ListScheme, deny_bytes, told
from luck import examples

from transitpay.ride_code import keys
from transitpay.ride_code.lists.list_signing import ListSigner
from transitpay.ride_code.lists.list_taking import Taken, take
from transitpay.ride_code.lists.signed_list import HEAD_LENGTH, Delta, ListKind, SignedList

OLD = deny_bytes({1: 5, 4: 1, 9: 2})
NEW = deny_bytes({1: 6, 3: 1, 9: 2})
DELTA_FRONT = 24
ENTRIES = st.dictionaries(st.integers(0, 30), st.integers(0, 9), max_size=20)


@pytest.fixture(scope="module")
def scheme() -> ListScheme:
    return ListScheme()


@pytest.fixture(scope="module")
def held(scheme: ListScheme) -> SignedList:
    return scheme.held(OLD, 1)


_KNOWN = ListScheme()


@given(ENTRIES, ENTRIES)
@settings(max_examples=examples(40))
def test_a_delta_and_the_whole_lead_to_the_same_bytes(
    old: dict[int, int], new: dict[int, int]
) -> None:
    scheme = _KNOWN
    before = scheme.held(deny_bytes(old), 7)
    delta = scheme.delta(before, deny_bytes(new), 9)
    by_delta = take(delta, before, scheme.wanted(), AT)
    assert isinstance(by_delta, Taken)
    whole = by_delta.head.encode() + deny_bytes(new)
    assert b"".join(by_delta.chunks()) == whole
    assert told(whole, before, scheme.wanted()) == "taken"
    assert told(whole, None, scheme.wanted()) == "taken"
    assert SignedList.parse(whole).is_sound()


def test_case_34_every_truncation_of_a_list_is_unreadable(
    scheme: ListScheme, held: SignedList
) -> None:
    for data in (scheme.whole(NEW, 2), scheme.delta(held, NEW, 2)):
        assert told(data, held, scheme.wanted()) == "taken"
        for length in range(len(data)):
            assert told(data[:length], held, scheme.wanted()) == "list_unreadable"
        assert told(data + b"\0", held, scheme.wanted()) == "list_unreadable"


def test_a_flipped_bit_is_refused_wherever_it_is(scheme: ListScheme, held: SignedList) -> None:
    for data in (scheme.whole(NEW, 2), scheme.delta(held, NEW, 2)):
        for position in range(len(data)):
            spoiled = bytearray(data)
            spoiled[position] ^= 1 << (position % 8)
            assert told(bytes(spoiled), held, scheme.wanted()).startswith("list_"), position


@pytest.mark.parametrize(
    ("offset", "flip", "reason"),
    [
        (0, 0x01, "list_unreadable"),  # magic
        (4, 0x01, "list_unreadable"),  # kind: 3, with the sizes of a deny list
        (5, 0x80, "list_unreadable"),  # zero
        (7, 0x01, "list_unreadable"),  # record size
        (9, 0x01, "list_unreadable"),  # key size
        (11, 0x01, "list_unreadable"),  # zero
        (19, 0x04, "list_bad_signature"),  # version
        (23, 0x01, "list_bad_signature"),  # issued at
        (27, 0x01, "list_bad_signature"),  # use by
        (31, 0x01, "list_unreadable"),  # count
        (32, 0x41, "list_wrong_scope"),  # scope "A"
        (63, 0x41, "list_wrong_scope"),  # scope: a letter after the zeros
        (64, 0x01, "list_bad_signature"),  # digest
        (96, 0x01, "list_unreadable"),  # magic of the certificate
        (100, 0x02, "list_bad_certificate"),  # root 3
        (100, 0x03, "list_bad_certificate"),  # root 2 did not sign
        (101, 0x04, "list_bad_certificate"),  # kinds
        (103, 0x01, "list_bad_certificate"),  # list key id
        (110, 0x01, "list_bad_certificate"),  # list key
        (137, 0x01, "list_unreadable"),  # zero
        (141, 0x01, "list_bad_certificate"),  # not before
        (145, 0x01, "list_bad_certificate"),  # not after
        (149, 0x01, "list_unreadable"),  # zero
        (213, 0x01, "list_bad_certificate"),  # root signature
        (277, 0x01, "list_bad_signature"),  # signature
        (HEAD_LENGTH + 13, 0x01, "list_bad_digest"),  # a serial
        (HEAD_LENGTH + 9, 0x01, "list_bad_digest"),  # a rider
        (HEAD_LENGTH, 0x01, "list_unreadable"),  # an issuer: the keys do not rise any more
    ],
)
def test_each_field_of_a_whole_list_has_its_reason(
    scheme: ListScheme, held: SignedList, offset: int, flip: int, reason: str
) -> None:
    spoiled = bytearray(scheme.whole(NEW, 2))
    spoiled[offset] ^= flip
    assert told(bytes(spoiled), held, scheme.wanted()) == reason


@pytest.mark.parametrize(
    ("offset", "flip", "reason"),
    [
        (0, 0x01, "list_unreadable"),  # magic
        (7, 0x01, "list_unreadable"),  # zero
        (15, 0x02, "list_wrong_base"),  # base version
        (19, 0x01, "list_unreadable"),  # change count
        (23, 0x01, "list_unreadable"),  # zero
        (DELTA_FRONT + HEAD_LENGTH, 0x02, "list_unreadable"),  # operation 3
        (DELTA_FRONT + HEAD_LENGTH, 0x03, "list_unreadable"),  # a removal with a serial
        (DELTA_FRONT + HEAD_LENGTH + 14, 0x01, "list_bad_digest"),  # a serial
        (DELTA_FRONT + HEAD_LENGTH + 2, 0x02, "list_unreadable"),  # the keys do not rise
    ],
)
def test_each_field_of_a_delta_has_its_reason(
    scheme: ListScheme, held: SignedList, offset: int, flip: int, reason: str
) -> None:
    spoiled = bytearray(scheme.delta(held, NEW, 2))
    spoiled[offset] ^= flip
    assert told(bytes(spoiled), held, scheme.wanted()) == reason


def test_swapped_and_repeated_records_are_unreadable(scheme: ListScheme, held: SignedList) -> None:
    first, second = NEW[:14], NEW[14:28]
    for records in (second + first, first + first):
        data = scheme.whole(records, 2)
        assert told(data, held, scheme.wanted()) == "list_unreadable", "though it is signed"


def test_a_list_of_another_kind_or_reader_is_not_what_was_asked_for(scheme: ListScheme) -> None:
    config = scheme.whole(b"", 1, kind=ListKind.CONFIG, scope="gate-1")
    wrong = [(ListKind.CONFIG, "gate-2"), (ListKind.CONFIG, ""), (ListKind.DENY, "")]
    for kind, scope in wrong:
        assert told(config, None, scheme.wanted(kind, scope)) == "list_wrong_scope"
    assert told(config, None, scheme.wanted(ListKind.CONFIG, "gate-1")) == "taken"


def test_either_root_certifies_and_no_other(scheme: ListScheme, held: SignedList) -> None:
    by_two = scheme.whole(NEW, 2, signer=scheme.signer(2, root=2))
    assert told(by_two, held, scheme.wanted()) == "taken"
    unknown = scheme.whole(NEW, 2, signer=scheme.signer(3, root=3))
    assert told(unknown, held, scheme.wanted()) == "list_bad_certificate"
    strangers = ListScheme()
    forged = strangers.whole(NEW, 2)
    assert told(forged, held, scheme.wanted()) == "list_bad_certificate"


def test_a_list_key_signs_only_its_kinds(scheme: ListScheme, held: SignedList) -> None:
    for_trust = scheme.signer(1, kinds=1 << ListKind.TRUST.number)
    data = scheme.whole(NEW, 2, signer=for_trust)
    assert told(data, held, scheme.wanted()) == "list_bad_certificate"


def test_a_head_signed_by_another_key_than_the_certified_one_is_refused(
    scheme: ListScheme, held: SignedList
) -> None:
    thief = ListSigner(keys.generate_device_key(), scheme.signer(1).certificate)
    data = scheme.whole(NEW, 2, signer=thief)
    assert told(data, held, scheme.wanted()) == "list_bad_signature"


def test_a_certificate_is_valid_from_its_first_second_until_before_its_last(
    scheme: ListScheme, held: SignedList
) -> None:
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    signer = scheme.signer(1, not_before=AT, not_after=AT + hour)
    data = scheme.whole(NEW, 2, signer=signer, issued_at=AT)
    expired = "list_certificate_expired"
    for at, u, expected in (
        (AT, 0, "taken"),
        (AT - second, 0, expired),
        (AT - second, 1, "taken"),
        (AT - 2 * second, 1, expired),
        (AT + hour - second, 0, "taken"),
        (AT + hour, 0, expired),
        (AT + hour, 1, "taken"),
        (AT + hour + second, 1, expired),
    ):
        assert told(data, held, scheme.wanted(), at, u) == expected, (at, u)


def test_a_list_issued_outside_its_certificate_is_refused_whatever_the_time(
    scheme: ListScheme, held: SignedList
) -> None:
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    signer = scheme.signer(1, not_before=AT, not_after=AT + hour)
    for issued_at, expected in (
        (AT - second, "list_certificate_expired"),
        (AT, "taken"),
        (AT + hour - second, "taken"),
        (AT + hour, "list_certificate_expired"),
    ):
        data = scheme.whole(NEW, 2, signer=signer, issued_at=issued_at)
        assert told(data, held, scheme.wanted(), AT, 9999) == expected


def test_case_34_a_list_is_never_rolled_back(scheme: ListScheme) -> None:
    held = scheme.held(OLD, 5)
    assert told(scheme.whole(NEW, 4), held, scheme.wanted()) == "list_rolled_back"
    assert told(scheme.whole(NEW, 5), held, scheme.wanted()) == "list_rolled_back", "other content"
    assert told(scheme.whole(OLD, 5), held, scheme.wanted()) == "list_rolled_back", "signed anew"
    assert told(b"".join(held.chunks()), held, scheme.wanted()) == "unchanged"
    assert told(scheme.whole(NEW, 6), held, scheme.wanted()) == "taken"
    empty = Delta.parse(scheme.delta(held, OLD, 5))
    assert told(replace(empty, head=held.head).encode(), held, scheme.wanted()) == "unchanged"


def test_a_newer_list_key_wins_over_any_version_of_an_older_one(scheme: ListScheme) -> None:
    stolen = scheme.held(OLD, 2**63, signer=scheme.signer(1))
    mended = scheme.whole(NEW, 3, signer=scheme.signer(2, root=2))
    assert told(mended, stolen, scheme.wanted()) == "taken"
    held = SignedList.parse(mended)
    still_stolen = scheme.whole(OLD, 2**63 + 1, signer=scheme.signer(1))
    assert told(still_stolen, held, scheme.wanted()) == "list_rolled_back"


def test_a_delta_needs_the_version_that_it_begins_with(scheme: ListScheme) -> None:
    held = scheme.held(OLD, 5)
    delta = scheme.delta(held, NEW, 8)
    assert told(delta, None, scheme.wanted()) == "list_wrong_base"
    for version in (4, 6):
        assert told(delta, scheme.held(OLD, version), scheme.wanted()) == "list_wrong_base"
    other = scheme.held(deny_bytes({2: 2}), 5)
    assert told(delta, other, scheme.wanted()) == "list_bad_digest", "same version, other content"


def test_a_count_that_the_changes_do_not_lead_to_is_a_bad_digest(scheme: ListScheme) -> None:
    held = scheme.held(OLD, 1)
    signer = scheme.signer(1)
    delta = Delta.parse(scheme.delta(held, NEW, 2))
    wrong = signer.sign(replace(delta.head, count=4))
    assert told(replace(delta, head=wrong).encode(), held, scheme.wanted()) == "list_bad_digest"


def test_case_34_a_list_is_stale_from_its_use_by(scheme: ListScheme) -> None:
    head = scheme.head(OLD, 1)
    assert not head.is_stale(head.use_by - timedelta(seconds=1))
    assert head.is_stale(head.use_by)
    stale = scheme.whole(OLD, 1, issued_at=AT - timedelta(days=30))
    assert told(stale, None, scheme.wanted()) == "taken", "stale is better than none"


def test_a_head_of_version_0_or_without_a_life_is_unreadable(scheme: ListScheme) -> None:
    signer, head = scheme.signer(1), scheme.head(NEW, 2)
    for changed in (replace(head, version=0), replace(head, use_by=head.issued_at)):
        data = signer.sign(changed).encode() + NEW
        assert told(data, None, scheme.wanted()) == "list_unreadable"


def test_offsets_are_those_of_the_page(scheme: ListScheme) -> None:
    data = scheme.whole(NEW, 2)
    assert data[:4] == b"TPL1" and data[96:100] == b"TPC1" and HEAD_LENGTH == 278
    assert struct.unpack_from(">BBHHHQ", data, 4) == (2, 0, 14, 10, 0, 2)
    assert struct.unpack_from(">I", data, 28) == (3,)
    assert struct.unpack_from(">BBH", data, 100) == (1, 0b1110, 1)
