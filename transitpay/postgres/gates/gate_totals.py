"""What readers and gateway differ about, scan by scan: for reports and last checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, slots=True)
class ScanDifference:
    """One scan on which our judgement differs from what the reader did, and who bears the fare."""

    reader: str
    sequence: int
    difference: str
    liable: str


_DIFFERENCES = """
select reader, sequence, difference, liable from tap_record
where difference is not null order by reader, sequence
"""


async def differences(conn: asyncpg.Connection) -> Sequence[ScanDifference]:
    """All of them, by reader and sequence."""
    return [
        ScanDifference(row["reader"], row["sequence"], row["difference"], row["liable"])
        for row in await conn.fetch(_DIFFERENCES)
    ]
