"""A wallet that answers at once, in memory: what it collected and gave back, by request id.

While ``moody`` it refuses some payments and leaves some in doubt, by their ids; asked about them
it tells. It pays out no more than it took.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from transitpay.charging import partner_messages as messages
from transitpay.charging.wallet_port import (
    CommandOutcome,
    Declined,
    Done,
    NotFound,
    PaymentOutcome,
    Succeeded,
    Unknown,
)
from transitpay.clock import Clock
from transitpay.money import Money


@dataclass(slots=True)
class InstantWallet:
    clock: Clock
    moody: bool = False
    payments: dict[str, Money] = field(default_factory=dict)
    refunds: dict[str, tuple[str, Money]] = field(default_factory=dict)
    refuses_refunds: bool = False

    async def pay(self, body: bytes) -> PaymentOutcome:
        asked = messages.parse_pay(body)
        mood = zlib.crc32(asked.payment_request_id.encode()) % 8 if self.moody else 7
        if mood == 0:
            return Declined("USER_BALANCE_NOT_ENOUGH")
        if mood == 1:
            return Unknown("timeout")
        self.payments[asked.payment_request_id] = asked.amount
        return Unknown("timeout") if mood == 2 else self._paid(asked.payment_request_id)

    async def inquire(self, body: bytes) -> PaymentOutcome:
        return self._paid(messages.parse_inquiry(body).payment_request_id or "")

    async def cancel(self, body: bytes) -> CommandOutcome:
        self.payments.pop(messages.parse_cancel(body).payment_request_id or "", None)
        return Done("cancelled", self.clock.now())

    async def refund(self, body: bytes) -> CommandOutcome:
        asked = messages.parse_refund(body)
        known = self.refunds.get(asked.refund_request_id)
        if known is None:
            if self.refuses_refunds:
                return Declined("REFUND_WINDOW_EXCEED")
            left = self.left_of(asked.payment_request_id)
            if asked.amount.minor > left:
                return Declined("REFUND_AMOUNT_EXCEED")
            known = (asked.payment_request_id, asked.amount)
            self.refunds[asked.refund_request_id] = known
        assert known == (asked.payment_request_id, asked.amount), "one id, one refund"
        return Done(f"w-{asked.refund_request_id}", self.clock.now())

    def left_of(self, request_id: str) -> int:
        """What it still holds of a payment, in minor units."""
        back = sum(money.minor for of, money in self.refunds.values() if of == request_id)
        return self.payments[request_id].minor - back

    def _paid(self, request_id: str) -> PaymentOutcome:
        amount = self.payments.get(request_id)
        if amount is None:
            return NotFound()
        return Succeeded(f"p-{request_id}", self.clock.now(), amount)
