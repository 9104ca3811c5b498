"""A turnstile in one file: ask the gateway, decide alone when it is away, tell it afterwards.

    TOKEN=tp_... python examples/turnstile.py http://127.0.0.1:8440 records.jsonl < codes.txt

Each line of the input is the text of a scanned code. A real reader also verifies codes offline
(docs/how-to/turnstile.md); this one keeps its gate shut when it cannot ask. Every scan is written
to the file before the gateway is asked, so nothing is lost when the power goes.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BUDGET_S = float(os.environ.get("BUDGET_S", "0.2"))
BATCH = 500


def post(url: str, body: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """The gateway's answer. Raises: OSError when it is away, slow or says 503."""
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['TOKEN']}"},
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        return dict(json.load(answer))


def remember(records: Path, record: dict[str, Any]) -> None:
    """Append one record; it is on the disk when this returns."""
    with records.open("ab", buffering=0) as out:
        out.write(json.dumps(record).encode() + b"\n")
        os.fsync(out.fileno())


def scan(gateway: str, records: Path, sequence: int, code: str) -> bool:
    """Decide one scan; True opens the gate. The sequence belongs to this scan for ever."""
    body = {"sequence": sequence, "at": datetime.now(UTC).isoformat(), "code": code}
    remember(records, body)
    try:
        answer = post(f"{gateway}/v1/taps", body, BUDGET_S)
        opened, reason = answer["open"] is True, answer["reason"]
    except OSError:
        opened, reason = False, "gateway_away"
    remember(records, {**body, "opened": opened, "reader_reason": reason})
    print(f"{sequence} {'OPEN' if opened else 'CLOSED'} {reason or ''}".rstrip(), flush=True)
    return opened


def upload(gateway: str, records: Path) -> int:
    """Send everything that was done, as often as needed; returns how many records were sent."""
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    done = {line["sequence"]: {"opened": False, **line} for line in lines}
    ordered = [done[sequence] for sequence in sorted(done)]
    for part in (ordered[n : n + BATCH] for n in range(0, len(ordered), BATCH)):
        report = {"through_at": part[-1]["at"], "last_sequence": part[-1]["sequence"]}
        post(f"{gateway}/v1/taps/batch", {"records": part, **report}, 10)
    return len(ordered)


def main(gateway: str, file: str) -> None:
    """Scan every line of the input, then upload the records."""
    records = Path(file)
    records.touch()
    used = max((json.loads(row)["sequence"] for row in records.open()), default=0)
    for sequence, line in enumerate(sys.stdin, start=used + 1):
        scan(gateway, records, sequence, line.rstrip("\r\n"))
    print(f"uploaded {upload(gateway, records)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
