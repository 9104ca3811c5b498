"""What mutations of any format of ride codes share: chance from a seed, bits, values of fields."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Generic, Protocol, TypeVar


class HasData(Protocol):
    """A code that is accepted."""

    @property
    def data(self) -> bytes: ...


GoodT = TypeVar("GoodT", bound=HasData)


class ByteMutator(Generic[GoodT]):
    """Makes mutated texts from good codes; the same seed makes the same texts.

    ``fields``: the offsets where a field begins, and the end; ``write``: bytes as a text.
    """

    def __init__(
        self,
        goods: Sequence[GoodT],
        seed: int,
        fields: Sequence[int],
        write: Callable[[bytes], str],
        kinds: tuple[Callable[[], str], ...],
    ) -> None:
        self._goods, self._fields, self._write, self._kinds = goods, fields, write, kinds
        self._random = random.Random(seed)

    def next(self) -> tuple[str, str]:
        """(name of the mutation, text)."""
        kind = self._random.choice(self._kinds)
        return kind.__name__, kind()

    def flip(self) -> str:
        """One to four bits."""
        data = self._bytes()
        for _ in range(self._random.randint(1, 4)):
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        return self._write(data)

    def field(self) -> str:
        """Edge values in fields; nothing is signed again."""
        data = self._bytes()
        for _ in range(self._random.randint(1, 2)):
            self._edit(data, 0, self._fields[-1])
        return self._write(data)

    def _good(self) -> GoodT:
        return self._random.choice(self._goods)

    def _bytes(self) -> bytearray:
        return bytearray(self._good().data)

    def _edit(self, data: bytearray, first: int, last: int) -> None:
        """Another value in one field between two offsets."""
        spans = [(a, b) for a, b in pairwise(self._fields) if first <= a and b <= last]
        start, end = self._random.choice(spans)
        old, top = int.from_bytes(data[start:end], "big"), (1 << 8 * (end - start)) - 1
        new = self._random.choice((0, top, old + 1, old - 1, old ^ 1, self._random.randint(0, top)))
        data[start:end] = (new & top).to_bytes(end - start, "big")
