"""A charge is what a rider owes a fare for; its attempts are the tries to collect it.

This module holds the values and the steps that we take ourselves: beginning an attempt, releasing
a held charge, withdrawing a debt. What a wallet says is weighed in ``decide``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from transitpay.charging.lifecycle import (
    ATTEMPT_EDGES,
    CHARGE_EDGES,
    HOLDING,
    OPEN,
    UNPAID,
    Action,
    AttemptState,
    ChargeState,
)
from transitpay.charging.result_codes import DENIES_NOBODY
from transitpay.charging.wallet_port import Succeeded
from transitpay.clock import day_start, wallet_day
from transitpay.money import Money

_ID = re.compile(r"[A-Za-z0-9._:/-]{1,56}")


@dataclass(frozen=True, slots=True)
class ChargePolicy:
    """The time limits of collecting. The last three do not scale.

    ``absent_files``: how many complete files without the payment prove that it was never made.
    ``refund_wait``: how long a correction that needs money waits for a refund in doubt.
    """

    inquire_every: timedelta = timedelta(seconds=3)
    inquire_for: timedelta = timedelta(seconds=60)
    cancel_every: timedelta = timedelta(seconds=3)
    traffic_backoff: timedelta = timedelta(seconds=30)
    backoff_max: timedelta = timedelta(hours=1)
    attempt_after: timedelta = timedelta(seconds=60)
    arrears_retry: timedelta = timedelta(hours=6)
    absent_files: int = 2
    refund_wait: timedelta = timedelta(hours=72)

    def scaled(self, speed: int) -> ChargePolicy:
        """The same real delays on a clock that runs ``speed`` times as fast."""
        return replace(
            self,
            inquire_every=self.inquire_every * speed,
            inquire_for=self.inquire_for * speed,
            cancel_every=self.cancel_every * speed,
            traffic_backoff=self.traffic_backoff * speed,
            backoff_max=self.backoff_max * speed,
            attempt_after=self.attempt_after * speed,
        )

    def backoff(self, least: timedelta, age: timedelta) -> timedelta:
        """A quarter of the age, from ``least`` to ``backoff_max``: the same for the same instant.

        It is made from the age and not from a count, so hearing the same twice changes nothing.
        """
        return max(least, min(age // 4, self.backoff_max))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One payment request id. ``sent_at`` is when its body was stored, before the first sending.

    ``paid`` is the success that was seen, even where a cancel may still win; ``code`` the wallet's
    last final refusal; ``absent_days`` the days whose files lack the payment.
    """

    id: str
    number: int
    amount: Money
    state: AttemptState
    sent_at: datetime
    paid: Succeeded | None = None
    code: str | None = None
    absent_days: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        assert 0 < len(self.id) <= 62 and self.number > 0 and self.amount.minor > 0

    @property
    def cancel_deadline(self) -> datetime:
        """00:15 UTC+8 of the day after the attempt's wallet day: no cancel at or after it."""
        return day_start(wallet_day(self.sent_at) + timedelta(days=1), 0, 15)

    def expires_at(self, policy: ChargePolicy) -> datetime:
        """The request's paymentExpiryTime: when inquiring ends and cancelling begins."""
        return self.sent_at + policy.inquire_for

    def to(self, state: AttemptState) -> Attempt:
        """The attempt in another state; only the steps of the table, or none."""
        if state is self.state:
            return self
        assert (self.state, state) in ATTEMPT_EDGES, f"{self.state} never becomes {state}"
        return replace(self, state=state)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The wallet's last final no to a debt, and since when the debt has been refused."""

    code: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Charge:
    """A debt with its attempts, oldest first; ``action`` is due at ``next_at`` (None: nothing is).

    ``amount`` is what the wallet is asked for. While HELD it is the fare, in the fare's currency:
    the release sets the amount. ``refused`` stays while the debt is asked for again, goes over to
    the charge that a correction makes of it, and ends with the payment. ``awaits`` is the refund
    in doubt whose money may pay this debt: nothing is asked for before its end is known.
    """

    id: str
    wallet: str
    amount: Money
    state: ChargeState
    action: Action
    next_at: datetime | None
    attempts: tuple[Attempt, ...] = ()
    refused: Refusal | None = None
    awaits: str | None = None

    def __post_init__(self) -> None:
        assert self.awaits is None or (self.state, self.next_at) == (ChargeState.DUE, None)
        assert _ID.fullmatch(self.id), "a charge id has 1-56 plain characters"
        assert self.amount.minor > 0, "a charge of nothing is not created"
        assert sum(a.state in HOLDING for a in self.attempts) <= 1, "one attempt may hold money"
        assert (self.next_at is None) == (self.action is Action.NOTHING)

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt that still needs an answer."""
        return next((a for a in self.attempts if a.state in OPEN), None)

    @property
    def denies_rider(self) -> bool:
        """True when the rider's code should be refused until this debt is paid.

        It was refused and is still owed, whether or not it is just being asked for again. The
        database keeps this answer: denials, their reasons and the sum that is owed read it there.
        """
        if self.refused is None or self.state not in UNPAID:
            return False
        return self.refused.code not in DENIES_NOBODY

    def attempt(self, attempt_id: str) -> Attempt | None:
        return next((a for a in self.attempts if a.id == attempt_id), None)

    def with_attempt(self, attempt: Attempt) -> Charge:
        """The charge with this attempt in the place of the one with its id."""
        kept = tuple(attempt if a.id == attempt.id else a for a in self.attempts)
        return replace(self, attempts=kept)

    def to(self, state: ChargeState, action: Action, next_at: datetime | None) -> Charge:
        """The charge in another state; only the steps of the table, or none."""
        if state is not self.state:
            assert (self.state, state) in CHARGE_EDGES, f"{self.state} never becomes {state}"
        refused = None if state is ChargeState.CAPTURED else self.refused
        return replace(
            self, state=state, action=action, next_at=next_at, refused=refused, awaits=None
        )

    def refused_with(self, code: str, at: datetime) -> Charge:
        """The charge after a final no: the last code, since the first of them."""
        return replace(self, refused=Refusal(code, self.refused.since if self.refused else at))


def charge_id(*journeys: str) -> str:
    """The id of the charge for these journeys: ``c-`` and 26 letters and digits.

    The wallet and its rider see it, so it says nothing of readers; it is the same for the same
    journeys in any order. A correction names the journeys that ended too: each ends once.
    """
    digest = hashlib.sha256("\n".join(sorted(journeys)).encode()).digest()
    return "c-" + base64.b32encode(digest[:16]).decode().rstrip("=").lower()


def new_charge(charge_id: str, wallet: str, amount: Money, held: bool, at: datetime) -> Charge:
    """A fresh debt: due at once, or held until there is a rate."""
    if held:
        return Charge(charge_id, wallet, amount, ChargeState.HELD, Action.NOTHING, None)
    return Charge(charge_id, wallet, amount, ChargeState.DUE, Action.PAY, at)


def in_place_of(charge: Charge, replaced: Iterable[Charge]) -> Charge:
    """A fresh debt that takes the place of others inherits that their rider is denied.

    It is in arrears, with the earliest of their refusals and of their next instants: who did not
    pay is not asked sooner because the fare was corrected. What is held for a rate has no instant
    and is due once there is one. What awaits a refund inherits nothing: perhaps nothing is owed.
    """
    if charge.awaits is not None:
        return charge
    refused = [it for it in replaced if it.denies_rider]
    found = [it.refused for it in refused if it.refused is not None]
    if not found:
        return charge
    charge = replace(charge, refused=min(found, key=lambda it: (it.since, it.code)))
    if charge.state is ChargeState.HELD:
        return charge
    held = ChargeState.HELD
    instants = [charge.next_at if it.state is held else it.next_at for it in refused]
    next_at = min((it for it in instants if it is not None), default=None)
    action = Action.NOTHING if next_at is None else Action.PAY
    return replace(charge, state=ChargeState.ARREARS, action=action, next_at=next_at)


def begin(charge: Charge, at: datetime, policy: ChargePolicy) -> Charge:
    """What a worker that claimed a due charge must save before it sends its ``action``.

    A due debt gets its next attempt. An attempt that a dead worker left is sent again with the
    same bytes, or asked for once its inquiry time is over. A cancel that is no longer allowed
    becomes an inquiry. What is not due at ``at`` is returned as it is.
    """
    if charge.next_at is None or charge.next_at > at:
        return charge
    attempt = charge.open_attempt
    if attempt is None:
        number = len(charge.attempts) + 1
        fresh = Attempt(f"{charge.id}-{number}", number, charge.amount, AttemptState.SENT, at)
        moved = charge.to(ChargeState.IN_FLIGHT, Action.PAY, at)
        return replace(moved, attempts=(*charge.attempts, fresh))
    if charge.action is Action.PAY and at >= attempt.expires_at(policy):
        asked = charge.with_attempt(attempt.to(AttemptState.UNKNOWN))
        return replace(asked, action=Action.INQUIRE)
    if charge.action is Action.CANCEL and at >= attempt.cancel_deadline:
        return replace(charge, action=Action.INQUIRE)
    return charge


def release(charge: Charge, amount: Money, at: datetime) -> Charge:
    """A held charge gets its amount and falls due; a charge that is not held stays as it is."""
    if charge.state is not ChargeState.HELD:
        return charge
    return replace(charge.to(ChargeState.DUE, Action.PAY, at), amount=amount)


def awaiting(charge: Charge, refund_id: str) -> Charge:
    """A fresh debt that is not asked for before the end of this refund is known."""
    assert charge.state is ChargeState.DUE and not charge.attempts, "only a fresh debt awaits"
    return replace(charge, action=Action.NOTHING, next_at=None, awaits=refund_id)


def awaits_no_more(charge: Charge, at: datetime) -> Charge:
    """The money that might have paid is gone: the debt is asked for."""
    assert charge.awaits is not None, "only what awaits a refund stops doing so"
    return charge.to(ChargeState.DUE, Action.PAY, at)


def retry_now(charge: Charge, at: datetime) -> Charge:
    """Arrears fall due at once: the rider topped up and asked, or a person did."""
    if charge.state is not ChargeState.ARREARS:
        return charge
    return charge.to(ChargeState.DUE, Action.PAY, at)


def withdraw(charge: Charge, to: ChargeState = ChargeState.WITHDRAWN) -> Charge | None:
    """The debt is gone (WITHDRAWN) or given up (WRITTEN_OFF).

    None while an attempt may hold money, or once it is paid: the attempt's end is waited for, and
    a captured debt is refunded instead. Withdrawn twice is withdrawn once.
    """
    if charge.state is to:
        return charge
    if (charge.state, to) not in CHARGE_EDGES:
        return None
    return charge.to(to, Action.NOTHING, None)
