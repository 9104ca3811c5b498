"""A Ministry of Transport code comes to the same verdict as ours, by the same rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from mot_scheme import AT, NOW, MotScheme
from ride_code_scheme import Crypto, Scheme

from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD, Money
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.mot import curve, layout
from transitpay.ride_code.mot.layout import INTEROPERABLE_ROOTS, LOCAL_ROOTS, parse
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import KeyStatus, TrustList
from transitpay.ride_code.verdict import Accepted, ReplayKey
from transitpay.sandbox.mot_issuer import SandboxIssuer, SandboxSm2Key, draw
from transitpay.taps import Direction

Span = tuple[int, int]
ROOT_SIGNATURE, ISSUER_SIGNATURE, USER_SIGNATURE = (56, 120), (199, 263), (268, 332)
BAD = {
    ROOT_SIGNATURE: "bad_issuer_signature",
    ISSUER_SIGNATURE: "bad_issuer_signature",
    USER_SIGNATURE: "bad_device_signature",
}
EXIT = Direction.EXIT


def _with(data: bytes, place: Span, value: bytes) -> bytes:
    changed = bytearray(data)
    changed[slice(*place)] = value
    assert len(changed) == len(data)
    return bytes(changed)


def test_a_code_is_accepted_with_what_it_says(mot: MotScheme) -> None:
    data = mot.data()
    found = mot.judge(data)
    assert isinstance(found, Accepted) and found.flags == ()
    it = parse(data).authorisation
    assert (found.issuer, found.rider.rider_id, found.rider.slot) == ("t-union", it.rider_id, 0)
    day = NOW - NOW % 86400
    assert found.replay_key == ReplayKey(mot.user.public.data, day, 0, NOW - 5 - day)


def test_the_replay_key_is_the_user_key_and_the_second_of_the_drawing(mot: MotScheme) -> None:
    def key(data: bytes) -> ReplayKey:
        found = mot.judge(data)
        assert isinstance(found, Accepted)
        return found.replay_key

    one = key(mot.data())
    assert key(mot.data(expires_at=NOW + 999, ceiling_fen=1, extension=b"x")) == one
    assert key(mot.data(age_s=4)) != one
    assert key(mot.data(user=SandboxSm2Key.generate())) != one


@pytest.mark.parametrize(
    ("age_s", "life_s", "reason"),
    [(600, 600, "accepted"), (601, 600, "code_stale"), (600, 3600, "accepted"),
     (601, 3600, "code_stale"), (30, 30, "accepted"), (31, 30, "code_stale"),
     (-20, 600, "accepted"), (-21, 600, "code_from_future"), (1, 1, "accepted"),
     (2, 1, "code_stale")],
)  # fmt: skip
def test_a_code_lives_600_seconds_at_most_and_20_in_the_future(
    mot: MotScheme, age_s: int, life_s: int, reason: str
) -> None:
    assert mot.reason(mot.data(age_s=age_s, code_life_s=life_s)) == reason


def test_a_reader_may_shorten_the_life_and_its_doubt_widens_it(mot: MotScheme) -> None:
    strict = mot.reader(mot_max_age_s=120)
    assert mot.reason(mot.data(age_s=120), reader=strict) == "accepted"
    assert mot.reason(mot.data(age_s=121), reader=strict) == "code_stale"
    assert mot.reason(mot.data(age_s=131), reader=strict, uncertainty_s=10) == "code_stale"
    assert mot.reason(mot.data(age_s=130), reader=strict, uncertainty_s=10) == "accepted"
    assert mot.reason(mot.data(age_s=900), uncertainty_s=301) == "accepted:clock_fault"
    with pytest.raises(MalformedInput):
        mot.reader(mot_max_age_s=601)


def test_no_code_has_a_life_of_nothing(mot: MotScheme) -> None:
    assert mot.reason(mot.data(code_life_s=0)) == "unreadable"


def test_an_authorisation_ends_with_its_expiry(mot: MotScheme) -> None:
    assert mot.reason(mot.data(expires_at=NOW - 4)) == "accepted"
    assert mot.reason(mot.data(expires_at=NOW - 5)) == "authorisation_expired"
    leaving = mot.reader(direction=EXIT, overstay_s=100)
    inside = mot.data(expires_at=NOW - 5 - 99)
    assert mot.reason(inside, reader=leaving) == "accepted:authorisation_expired"
    assert mot.reason(mot.data(expires_at=NOW - 105), reader=leaving) == "authorisation_expired"


@pytest.mark.parametrize(
    ("expires", "last"),
    [((2026, 7), datetime(2026, 7, 31, 15, 59, 59, tzinfo=UTC)),
     ((2026, 12), datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC)),
     ((2028, 2), datetime(2028, 2, 29, 15, 59, 59, tzinfo=UTC))],
)  # fmt: skip
def test_a_certificate_is_valid_to_the_end_of_its_month_in_china(
    mot: MotScheme, expires: tuple[int, int], last: datetime
) -> None:
    issuer = mot.issuer(expires=expires)
    trust = mot.trust(not_after=AT + timedelta(3000))

    def reason(at: datetime, direction: Direction = Direction.ENTRY) -> str:
        second = int(at.timestamp())
        data = mot.data(issuer=issuer, age_s=NOW - second, expires_at=second + 9)
        return mot.reason(data, trust=trust, at=at, reader=mot.reader(direction=direction))

    assert reason(last) == "accepted"
    assert reason(last + timedelta(seconds=1)) == "key_expired"
    assert reason(last + timedelta(minutes=210), EXIT) == "accepted:key_expired"
    assert reason(last + timedelta(minutes=210, seconds=1), EXIT) == "key_expired"


def test_the_record_of_the_root_bounds_the_certificate(mot: MotScheme) -> None:
    data = mot.data()
    assert mot.reason(data, trust=mot.trust(not_after=AT)) == "key_expired"
    assert mot.reason(data, trust=mot.trust(not_after=AT + timedelta(seconds=1))) == "accepted"
    early = mot.trust(not_before=AT + timedelta(seconds=1))
    assert mot.reason(data, trust=early) == "key_not_yet_valid"
    broken = mot.trust(status=KeyStatus.COMPROMISED)
    assert mot.reason(data, trust=broken) == "key_compromised"
    assert mot.reason(data, trust=mot.trust(status=KeyStatus.RETIRED)) == "accepted"


@pytest.mark.parametrize("account_type", [0, 1, 2, 3, 5])
def test_every_account_type_but_that_of_tests_rides(mot: MotScheme, account_type: int) -> None:
    assert mot.reason(mot.data(account_type=account_type)) == "accepted"


def test_a_test_account_or_a_test_root_rides_in_a_sandbox_only(mot: MotScheme) -> None:
    test = mot.data(account_type=4)
    assert mot.reason(test) == "test_key"
    assert mot.reason(mot.data(), trust=mot.trust(test=True)) == "test_key"
    sandbox = mot.reader(test_keys_allowed=True)
    assert mot.reason(test, reader=sandbox) == "accepted"
    assert mot.reason(mot.data(), trust=mot.trust(test=True), reader=sandbox) == "accepted"


def test_the_trust_list_alone_says_where_a_code_opens(mot: MotScheme) -> None:
    data = mot.data()
    for destination in (0, 2, 15):
        there = mot.reader(destination=destination)
        assert mot.reason(data, reader=there) == "destination_not_allowed"
    assert mot.reason(data, reader=mot.reader(mode=1)) == "accepted"
    assert mot.reason(data, reader=mot.reader(mode=2)) == "mode_not_allowed"
    assert mot.reason(data, reader=mot.reader(service_excluded=True)) == "service_excluded"


def test_a_local_code_opens_where_the_record_of_local_codes_says(mot: MotScheme) -> None:
    data = mot.data(local=True)
    assert mot.reason(data) == "destination_not_allowed"
    assert mot.reason(data, reader=mot.reader(destination=2)) == "accepted"
    assert mot.reason(data, trust=TrustList.of(1, [mot.record()])) == "unknown_key"
    swapped = _with(mot.data(), (0, 1), b"\x81")
    assert mot.reason(swapped, reader=mot.reader(destination=2)) == "bad_device_signature"


def test_the_ceiling_is_in_fen(mot: MotScheme) -> None:
    data = mot.data(ceiling_fen=3500)
    assert mot.reason(data, reader=mot.reader(highest_fare=Money(3500, CNY))) == "accepted"
    assert mot.reason(data, reader=mot.reader(highest_fare=Money(3501, CNY))) == "ceiling_too_low"
    assert mot.reason(data, reader=mot.reader(highest_fare=Money(9999, HKD))) == "accepted"
    leaving = mot.reader(highest_fare=Money(3501, CNY), direction=EXIT)
    assert mot.reason(data, reader=leaving) == "accepted:ceiling_too_low"


def test_a_denial_ends_with_the_next_authorisation(mot: MotScheme) -> None:
    data = mot.data(expires_at=NOW + 100)
    rider = parse(data).authorisation.rider_id
    deny = DenyList(1, {("t-union", rider): NOW + 100})
    assert mot.reason(data, deny=deny) == "denied"
    assert mot.reason(data, deny=deny, reader=mot.reader(direction=EXIT)) == "accepted:denied"
    assert mot.reason(mot.data(expires_at=NOW + 101), deny=deny) == "accepted"
    assert mot.reason(data, deny=DenyList(1, {("alipay", rider): NOW + 100})) == "accepted"


@pytest.mark.parametrize("place", BAD)
def test_a_signature_stripped_or_at_an_edge_is_bad(mot: MotScheme, place: Span) -> None:
    data, n = mot.data(), curve.ORDER
    r, s = data[place[0] : place[0] + 32], data[place[0] + 32 : place[1]]
    edge = [v.to_bytes(32, "big") for v in (0, n, n + 1, 2**256 - 1)]
    wrong = [bytes(64), s + r, *(e + s for e in edge), *(r + e for e in edge)]
    wrong.append(r + (n - int.from_bytes(s, "big")).to_bytes(32, "big"))
    wrong.append(r + (n - int.from_bytes(r, "big")).to_bytes(32, "big"))  # r + s = 0
    for one in wrong:
        assert mot.reason(_with(data, place, one)) == BAD[place]


def test_signatures_of_one_place_are_bad_in_another(mot: MotScheme) -> None:
    data = mot.data()
    for place, reason in BAD.items():
        for other in set(BAD) - {place}:
            assert mot.reason(_with(data, place, data[slice(*other)])) == reason


def test_another_riders_parts_do_not_fit(mot: MotScheme) -> None:
    mine = mot.data()
    theirs = mot.data(user=SandboxSm2Key.generate(), account=b"3104870000000002")
    assert mot.reason(theirs) == "accepted"
    assert (
        mot.reason(_with(mine, USER_SIGNATURE, theirs[slice(*USER_SIGNATURE)]))
        == BAD[USER_SIGNATURE]
    )
    assert mot.reason(mine[:263] + theirs[263:]) == BAD[USER_SIGNATURE]
    assert mot.reason(mine[:120] + theirs[120:263] + mine[263:]) == BAD[USER_SIGNATURE]
    assert mot.reason(mine[:158] + theirs[158:191] + mine[191:]) == BAD[ISSUER_SIGNATURE]


def test_a_strangers_chain_is_refused_at_each_link(mot: MotScheme) -> None:
    stranger = SandboxSm2Key.generate()
    assert mot.reason(mot.data(issuer=mot.issuer(root=stranger))) == "bad_issuer_signature"
    forged = replace(mot.issuer(), key=stranger)
    authorised = forged.authorise(mot.user.public.data, NOW + 9)
    data = draw(mot.issuer(), authorised, mot.user, NOW)
    assert mot.reason(data) == "bad_issuer_signature"
    authorised = mot.issuer().authorise(mot.user.public.data, NOW + 9)
    assert mot.reason(draw(mot.issuer(), authorised, stranger, NOW)) == "bad_device_signature"
    other_root = mot.issuer(root_number=8)
    assert mot.reason(mot.data(issuer=other_root)) == "unknown_key"
    both = TrustList.of(1, [mot.record(), mot.record(key_id=INTEROPERABLE_ROOTS + 8,
                                                     public_key=stranger.public.data)])  # fmt: skip
    assert mot.reason(mot.data(issuer=other_root), trust=both) == "bad_issuer_signature"


def test_a_key_that_is_no_point_is_refused_even_if_it_was_signed(mot: MotScheme) -> None:
    nowhere = b"\x02" + bytes(31) + b"\x01"
    while curve.decompress(nowhere) is not None:
        nowhere = b"\x02" + (int.from_bytes(nowhere[1:], "big") + 1).to_bytes(32, "big")
    for point in (nowhere, b"\x02" + b"\xff" * 32):
        authorised = mot.issuer().authorise(point, NOW + 9)
        assert mot.reason(draw(mot.issuer(), authorised, mot.user, NOW)) == "bad_device_signature"
        nobody = replace(mot.issuer_key, public=replace(mot.issuer_key.public, data=point))
        by = SandboxIssuer(mot.root, 7, nobody)
        assert mot.reason(mot.data(issuer=by)) == "bad_issuer_signature"


def test_the_formats_do_not_meet_in_a_key_record(mot: MotScheme, scheme: Scheme) -> None:
    p256 = replace(scheme.record(1), key_id=INTEROPERABLE_ROOTS + 7)
    assert mot.reason(mot.data(), trust=TrustList.of(1, [p256])) == "unknown_key"
    ours = scheme.code(key_id=1)
    assert scheme.reason(ours, trust=TrustList.of(1, [scheme.record(1), mot.record()])) == (
        "accepted"
    )
    with pytest.raises(MalformedInput):
        mot.record(key_id=LOCAL_ROOTS - 1)
    with pytest.raises(MalformedInput):
        mot.record(public_key=b"\x04" + bytes(32))


def test_a_root_stands_in_a_trust_list_file(mot: MotScheme) -> None:
    trust = mot.trust()
    assert TrustList.from_json(trust.to_json()) == trust


def test_a_code_costs_three_verifications_then_two_then_one(mot: MotScheme, crypto: Crypto) -> None:
    cache, trust = SignatureCache(), mot.trust()
    first, again = mot.data(age_s=5), mot.data(age_s=4)
    stranger = SandboxSm2Key.generate()
    other_rider = mot.data(user=stranger, account=b"3104870000000002")
    costs = []
    for data in (first, other_rider, again):
        crypto.reset()
        assert mot.reason(data, trust=trust, cache=cache) == "accepted"
        costs.append((crypto.verifications, crypto.key_loads))
    assert costs == [(3, 2), (2, 1), (1, 0)]
    crypto.reset()
    assert mot.reason(first, trust=trust) == "accepted"
    assert (crypto.verifications, crypto.key_loads) == (3, 2)


def test_what_is_refused_before_the_signatures_costs_no_cryptography(
    mot: MotScheme, crypto: Crypto
) -> None:
    codes, trust = (
        [mot.data(age_s=601), mot.data(local=True), mot.data(account_type=4)],
        mot.trust(),
    )
    crypto.reset()
    assert [mot.reason(data, trust=trust) for data in codes] == [
        "code_stale", "destination_not_allowed", "test_key",
    ]  # fmt: skip
    assert (crypto.verifications, crypto.key_loads) == (0, 0)


def test_the_cache_holds_signatures_and_nothing_else(mot: MotScheme) -> None:
    cache, data = SignatureCache(), mot.data()
    assert mot.reason(data, cache=cache) == "accepted"
    for place, reason in BAD.items():
        assert mot.reason(_with(data, place, bytes(64)), cache=cache) == reason
    again = mot.trust(status=KeyStatus.COMPROMISED)
    assert mot.reason(data, trust=again, cache=cache) == "key_compromised"
    other = SandboxSm2Key.generate()
    assert mot.reason(data, trust=mot.trust(public_key=other.public.data), cache=cache) == (
        "bad_issuer_signature"
    )
    small = SignatureCache(limit=8)
    for n in range(6):
        account = b"%016d" % n
        assert mot.reason(mot.data(account=account), cache=small) == "accepted"
    assert len(small) == 2
    assert mot.reason(layout.write_text(data)[:-1], cache=cache) == "unreadable"
