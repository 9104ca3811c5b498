"""The sandbox waits as long as something moves, whatever the machine's speed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from transitpay.sandbox.demo import speed_for
from transitpay.sandbox.waiting import wait_while_it_moves


class Answers:
    """What is left at each look; the last word stays."""

    def __init__(self, words: Sequence[int]) -> None:
        self.words, self.looks = words, 0

    async def left(self) -> int:
        self.looks += 1
        return self.words[min(self.looks, len(self.words)) - 1]


def waited(words: Sequence[int], quiet_looks: int) -> tuple[int, int]:
    it = Answers(words)
    left = asyncio.run(wait_while_it_moves(it.left, quiet_looks * 0.001, 0.001))
    return left, it.looks


def test_what_moves_slowly_is_waited_for_to_its_end() -> None:
    assert waited([3, 3, 3, 2, 2, 2, 1, 1, 1, 0], 4) == (0, 10)


def test_what_has_not_moved_for_the_quiet_time_is_left() -> None:
    left, looks = waited([3, 2], 4)
    assert left == 2
    assert looks == 2 + 4


def test_what_is_done_is_not_waited_for() -> None:
    assert waited([0], 4) == (0, 1)


def test_the_day_runs_slower_on_a_machine_that_enrols_riders_slowly_and_never_faster() -> None:
    usual = speed_for(2000)
    assert speed_for(2000, 1.0) == usual
    assert speed_for(2000, 60.0) < usual / 2
    assert speed_for(200, 60.0) == speed_for(3), "few riders have time enough"
