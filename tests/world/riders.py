"""People of the world: where they ride, what they show at a reader, and what they do when refused.

Everybody is driven by a stream of chance of their own. A rider keeps to the rules unless their
habit says otherwise; what a reader owes to riders in good order is judged only of those.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from transitpay.taps import Direction

from .phones import Drawn, Phone
from .scheduler import Scheduler
from .witness import Shown, Stranded, Witness

_RETRIES = 3
#: Refused for these, a rider draws another code and tries again.
_JOURNEYS_A_DAY = 3


class Habit(StrEnum):
    """What somebody does besides riding."""

    HONEST = "honest"
    COMPANIONS = "companions"  #: takes one or two people along, each with a code of their own
    SHARER = "sharer"  #: sends pictures of codes to friends at other gates
    TWICE = "twice"  #: shows a code again at the same gate, at once and later
    RESTORED = "restored"  #: a second phone was restored from the first one's backup
    AWAY = "away"  #: does not go online for days
    WRONG_CLOCK = "wrong_clock"  #: the phone's clock is minutes off
    FORGER = "forger"  #: signs with another key


#: Those of whom every reader must take good care.
IN_GOOD_ORDER = frozenset({Habit.HONEST, Habit.COMPANIONS, Habit.TWICE})


@dataclass(frozen=True, slots=True)
class Gate:
    """A reader as a rider sees it."""

    name: str
    stop: str
    direction: Direction


class Gates(Protocol):
    """Where codes are shown."""

    def show(self, gate: Gate, drawn: Drawn, told: Callable[[Shown | None], None]) -> None:
        """Hold a code before a reader; None = the reader is dark."""
        ...


@dataclass(slots=True)
class Rider:
    """One person and their phone."""

    name: str
    habit: Habit
    phone: Phone
    chance: random.Random
    scheduler: Scheduler
    gates: Gates
    places: Sequence[Gate]
    witness: Witness
    other_phone: Phone | None = None
    #: Whether this rider was in good order all the time (denied riders are not).
    blameless: bool = True
    _refused_for: list[str] = field(default_factory=list)

    def live(self, days: float) -> None:
        """Plan the journeys of so many days."""
        for _ in range(round(days * _JOURNEYS_A_DAY)):
            self.scheduler.after(self.chance.uniform(0, days * 86_400), self._set_out)

    # -- journeys ------------------------------------------------------------------------------

    def _set_out(self) -> None:
        directions = [Direction.ENTRY] if self.chance.random() < 0.75 else [Direction.BOARD]
        gate = self._gate(*directions)
        slots = range(self.chance.randint(2, 3) if self.habit is Habit.COMPANIONS else 1)
        for slot in slots:
            self.scheduler.after(slot * 3, lambda slot=slot: self._try(gate, slot, _RETRIES))

    def _try(self, gate: Gate, slot: int, tries: int) -> None:
        drawn = self._draw(slot)
        hesitation_s = self.chance.uniform(0.5, 12)
        self.scheduler.after(hesitation_s, lambda: self._show(gate, drawn, slot, tries))

    def _show(self, gate: Gate, drawn: Drawn, slot: int, tries: int) -> None:
        self.gates.show(gate, drawn, lambda seen: self._after(gate, drawn, slot, tries, seen))
        self._misuse(gate, drawn)

    def _after(self, gate: Gate, drawn: Drawn, slot: int, tries: int, seen: Shown | None) -> None:
        leaving = gate.direction is Direction.EXIT
        if seen is not None and seen.opened:
            if gate.direction is Direction.ENTRY:
                ride_s = self.chance.uniform(400, 3000)
                self.scheduler.after(ride_s, lambda: self._leave(slot))
            return
        if seen is not None and leaving:
            self._refused_for.append(seen.reason or "")
        if tries > 1:
            again = self._gate(gate.direction) if seen is None else gate
            self.scheduler.after(
                self.chance.uniform(2, 9), lambda: self._try(again, slot, tries - 1)
            )
        elif leaving and self.habit in IN_GOOD_ORDER and self.blameless and seen is not None:
            reasons = tuple(self._refused_for[-_RETRIES:])
            self.witness.stranded.append(Stranded(self.name, gate.name, reasons))

    def _leave(self, slot: int) -> None:
        self._try(self._gate(Direction.EXIT), slot, _RETRIES)

    # -- what else they do ---------------------------------------------------------------------

    def _draw(self, slot: int) -> Drawn:
        it = self.phone.authorisation
        soon = self.phone.clock.now.timestamp() + 6 * 3600
        stale = it is None or it.expires_at < soon
        if stale and (it is None or self.habit is not Habit.AWAY):
            self.phone.go_online(life_h=self.chance.choice([24, 48]))
        phone = self.phone
        if self.other_phone is not None and self.chance.random() < 0.5:
            phone = self.other_phone
        if self.habit is Habit.FORGER and self.chance.random() < 0.5:
            return phone.forge(0)
        return phone.draw(0, slot)

    def _misuse(self, gate: Gate, drawn: Drawn) -> None:
        """Show the same code again, here or elsewhere, by a friend's phone."""
        if self.habit is Habit.SHARER and self.chance.random() < 0.7:
            for _ in range(self.chance.randint(1, 2)):
                elsewhere = self._gate(gate.direction)
                later_s = self.chance.choice([0.0, 0.01, 0.5, 5.0, 25.0])
                self.scheduler.after(later_s, self._show_picture(elsewhere, drawn))
        if self.habit is Habit.TWICE and self.chance.random() < 0.5:
            later_s = self.chance.choice([0.1, 0.4, 1.5, 4.0, 30.0])
            self.scheduler.after(later_s, self._show_picture(gate, drawn))

    def _show_picture(self, gate: Gate, drawn: Drawn) -> Callable[[], None]:
        return lambda: self.gates.show(gate, drawn, lambda _: None)

    def _gate(self, *directions: Direction) -> Gate:
        return self.chance.choice([it for it in self.places if it.direction in directions])
