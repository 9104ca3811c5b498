"""A journey as far as the taps tell, with what must be waited for before it is certain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from transitpay.journeys.journey import Journey
from transitpay.journeys.rules import JourneyRules
from transitpay.taps import Tap


class RuledTap(NamedTuple):
    """A tap with its service day and the rules of that day."""

    tap: Tap
    day: date
    rules: JourneyRules


class Wait(NamedTuple):
    """Until every reader of ``networks`` has reported up to ``due_at``, or beyond it (``past``).

    Readers that stay silent are waited for until ``give_up_at``.
    """

    networks: frozenset[str]
    due_at: datetime
    past: bool
    give_up_at: datetime

    def is_over(self, complete_through: Mapping[str, datetime], at: datetime) -> bool:
        """Whether nothing can come any more that would have been in time."""
        if at > self.give_up_at:
            return True
        for network in self.networks:
            known = complete_through.get(network)
            if known is None or known < self.due_at or (self.past and known == self.due_at):
                return False
        return True


class Draft(NamedTuple):
    """A journey that stands once ``wait`` is over; None: it is whole, no later tap ends it."""

    journey: Journey
    wait: Wait | None = None


class Lone(NamedTuple):
    """An alighting scan without a boarding; it is set aside once ``wait`` is over."""

    tap: Tap
    wait: Wait
