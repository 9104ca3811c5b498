"""Alarms that scans give: cloned devices, readers that open when they are out of service."""

from __future__ import annotations

from datetime import datetime

from transitpay.postgres.gates.reader_alarms import Alarm, AlarmKind
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import TapKey

#: The subject of the alarm of a clock that a heartbeat raises and ends.
AT_HEARTBEAT = "heartbeat"


def cloned_device(code: ReplayKey, one: TapKey, other: TapKey) -> list[Alarm]:
    """Two phones drew other codes under one counter; both readers are told, in either order."""
    subject = f"{code.device_key.hex()}:{code.not_before}:{code.serial}:{code.counter}"
    scans = sorted([one, other])
    detail: dict[str, object] = {
        "scans": [
            {"day": str(it.day), "reader": it.reader, "sequence": it.sequence} for it in scans
        ]
    }
    return [Alarm(it.reader, AlarmKind.CLONED_DEVICE, subject, detail) for it in scans]


def scan_from_future(key: TapKey, at: datetime) -> Alarm:
    """A reader's clock was ahead when it wrote a scan; the next good heartbeat ends it."""
    detail: dict[str, object] = {"sequence": key.sequence, "at": at.isoformat()}
    return Alarm(key.reader, AlarmKind.CLOCK_FAULT, AT_HEARTBEAT, detail)


def after_decommissioning(key: TapKey, at: datetime) -> Alarm:
    """A reader that is out of service opened."""
    detail: dict[str, object] = {"sequence": key.sequence, "at": at.isoformat()}
    kind = AlarmKind.AFTER_DECOMMISSIONING
    return Alarm(key.reader, kind, f"sequence {key.sequence}", detail)
