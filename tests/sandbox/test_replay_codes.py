"""Replayed riders show codes that every reader of the sandbox accepts, each of them once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.keys import algorithm_of, generate_issuer_key, public_bytes
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.ride_code.verdict import Accepted, ReaderRules, judge
from transitpay.sandbox.places import BUS, METRO, SHENZHEN
from transitpay.sandbox.replay.codes import IssuingKey, Phones
from transitpay.sandbox.replay.plan import WALLETS, PlannedScan
from transitpay.sandbox.szt_taps import RawTap, TapKind
from transitpay.taps import Direction

AT = datetime(2018, 8, 31, 11, 29, 49, tzinfo=UTC)
SHIFT = timedelta(weeks=426)
RIDER = "00112233445566aa"
KEYS = {wallet: IssuingKey(n, generate_issuer_key()) for n, wallet in enumerate(WALLETS, 101)}
TRUST = TrustList.of(
    1,
    [
        IssuerKey(
            key.key_id, algorithm_of(key.private), public_bytes(key.private), wallet,
            0b11111, 0b1111111, AT, AT + SHIFT + timedelta(days=30), test=True,
        )
        for wallet, key in KEYS.items()
    ],
)  # fmt: skip


def scan(hours: float, *, last: bool = False, card: str = "0" * 32) -> PlannedScan:
    raw = RawTap(AT + timedelta(hours=hours), TapKind.BUS, card, "1", "c", "2", 200, 160, False)
    return PlannedScan(raw, "szb-0001", 1, last, SHIFT)


def verdict(code: str, at: datetime, mode: int = BUS) -> object:
    rules = ReaderRules(SHENZHEN, mode, Direction.SINGLE, test_keys_allowed=True)
    return judge(code, TRUST, DenyList(), rules, at)


def test_every_code_of_a_card_is_accepted_and_has_a_key_of_its_own() -> None:
    phones = Phones(KEYS)
    scans = [scan(0), scan(0), scan(16, last=True)]
    found = [verdict(phones.draw(it, RIDER), it.at) for it in scans]
    assert all(isinstance(it, Accepted) for it in found)
    keys = [it.replay_key for it in found if isinstance(it, Accepted)]
    assert [key.counter for key in keys] == [1, 2, 3]
    assert len({key.device_key for key in keys}) == 1
    assert {it.rider.rider_id for it in found if isinstance(it, Accepted)} == {RIDER}


def test_a_code_is_for_metro_and_bus_of_its_own_wallet_and_minute() -> None:
    for card in ("0" * 32, "00000001" + "0" * 24):
        one = scan(1, last=True, card=card)
        code = Phones(KEYS).draw(one, RIDER)
        found = verdict(code, one.at, METRO)
        assert isinstance(found, Accepted) and found.issuer == one.wallet
        assert not isinstance(verdict(code, one.at + timedelta(minutes=2)), Accepted)


def test_a_phone_is_forgotten_with_the_last_scan_of_its_card() -> None:
    phones = Phones(KEYS)
    first, last, again = scan(0), scan(1, last=True), scan(2, last=True)
    codes = [verdict(phones.draw(it, RIDER), it.at) for it in (first, last, again)]
    devices = [it.replay_key.device_key for it in codes if isinstance(it, Accepted)]
    assert devices[0] == devices[1] != devices[2]
