"""How much memory a sandbox uses: the peak of this process and its children but PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_EACH_S = 0.5


class MemoryWatch:
    """Samples resident memory; ``peak_bytes`` is 0 where the system does not tell."""

    def __init__(self, database_pid: Callable[[], int | None]) -> None:
        self._database_pid = database_pid
        self.peak_bytes = 0

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self.peak_bytes = max(self.peak_bytes, self._now())
            await asyncio.sleep(_EACH_S)

    def _now(self) -> int:
        pids = {os.getpid()}
        with suppress(OSError):
            for task in Path("/proc/self/task").iterdir():
                pids |= {int(pid) for pid in (task / "children").read_text().split()}
        return sum(_resident(pid) for pid in pids - {self._database_pid()})


def _resident(pid: int) -> int:
    """Bytes; 0 for PostgreSQL by another pid, or where the process has gone."""
    with suppress(OSError):
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        if name.startswith("python") or name.startswith("transitpay"):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
