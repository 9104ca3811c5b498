"""Alarms that scans give: cloned devices, readers that open when they are out of service."""

from __future__ import annotations

from datetime import datetime

from transitpay.postgres.reader_alarms import Alarm, AlarmKind
from transitpay.ride_code.verdict import ReplayKey
from transitpay.taps import TapKey


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


def after_decommissioning(key: TapKey, at: datetime) -> Alarm:
    """A reader that is out of service opened."""
    detail: dict[str, object] = {"sequence": key.sequence, "at": at.isoformat()}
    kind = AlarmKind.AFTER_DECOMMISSIONING
    return Alarm(key.reader, kind, f"sequence {key.sequence}", detail)
