"""A network link: it loses, delays, reorders and duplicates what it carries, or is down."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .scheduler import Action, Scheduler


@dataclass(frozen=True, slots=True)
class LinkFaults:
    """Parts of a thousand; ``slow_s`` is the most that a slow message takes."""

    lost: int = 0
    slow: int = 0
    doubled: int = 0
    slow_s: float = 30.0


@dataclass(slots=True)
class Link:
    """One reader's way to the gateways and back; each message meets its own fate."""

    scheduler: Scheduler
    chance: random.Random
    faults: LinkFaults = field(default_factory=LinkFaults)
    #: Outages by number of causes; the link carries nothing while there is one.
    outages: int = 0

    @property
    def up(self) -> bool:
        """Whether it carries anything now."""
        return self.outages == 0

    def send(self, deliver: Action) -> None:
        """Carry a message; it may arrive never, late, twice, or after a later one."""
        copies = 2 if self._happens(self.faults.doubled) else 1
        for _ in range(copies):
            lost, delay_s = self._happens(self.faults.lost), self._delay_s()
            if self.up and not lost:
                self.scheduler.after(delay_s, self._if_up(deliver))

    def ask(self, serve: Callable[[], object], answer: Callable[[object], None]) -> None:
        """A request and its answer, each with its own fate; ``serve`` runs at the far end."""

        def arrived() -> None:
            given = serve()
            self.send(lambda: answer(given))

        self.send(arrived)

    def _if_up(self, deliver: Action) -> Action:
        def arrive() -> None:
            if self.up:
                deliver()

        return arrive

    def _delay_s(self) -> float:
        usual_s = 0.004 + self.chance.expovariate(1 / 0.012)
        return self.chance.uniform(0.1, self.faults.slow_s) if self._happens(
            self.faults.slow
        ) else usual_s  # fmt: skip

    def _happens(self, permille: int) -> bool:
        return self.chance.random() * 1000 < permille
