"""What really happened, as nobody in the world sees it; invariants are checked against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from transitpay.ride_code.verdict import ReplayKey

from .phones import Drawn


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reader did with a code before it: the gate, the light, and why.

    ``by_gateway``: it carried out the gateway's answer. ``durable``: the record was on its disk,
    or the gateway's answer in its hands, when the gate opened.
    """

    at: datetime
    reader: str
    sequence: int
    drawn: Drawn
    opened: bool
    signal: str
    reason: str | None
    by_gateway: bool
    durable: bool
    deny_version: int
    trust_version: int

    @property
    def by_reader(self) -> bool:
        """Whether the reader decided alone."""
        return not self.by_gateway

    @property
    def code(self) -> ReplayKey:
        """The code's identity."""
        return self.drawn.replay_key


@dataclass(frozen=True, slots=True)
class Stranded:
    """A rider who entered in good order and was not let out."""

    rider: str
    reader: str
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Witness:
    """All of it, in the order of true time."""

    shown: list[Shown] = field(default_factory=list)
    #: (reader, sequence) of every scan that a gateway has acknowledged, in any way.
    acknowledged: set[tuple[str, int]] = field(default_factory=set)
    #: (reader, sequence, what was asked): one sequence must have one request.
    requests: dict[tuple[str, int], bytes] = field(default_factory=dict)
    sequences_used_twice: list[tuple[str, int]] = field(default_factory=list)
    stranded: list[Stranded] = field(default_factory=list)
    #: (reader, kind of list) -> ranks taken into use, in their order.
    lists_taken: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=dict)
    listeners: list[Callable[[Shown], None]] = field(default_factory=list)

    def saw(self, it: Shown) -> None:
        """A gate was lit."""
        self.shown.append(it)
        for listener in self.listeners:
            listener(it)

    def asked(self, reader: str, sequence: int, request: bytes) -> None:
        """A reader gave this sequence to this request."""
        if self.requests.setdefault((reader, sequence), request) != request:
            self.sequences_used_twice.append((reader, sequence))

    def took_list(self, reader: str, kind: str, rank: tuple[int, int]) -> None:
        """A reader took a version into use."""
        self.lists_taken.setdefault((reader, kind), []).append(rank)

    def openings(self) -> list[Shown]:
        """Every time a gate opened for a code."""
        return [it for it in self.shown if it.opened]
