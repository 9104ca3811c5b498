"""The sandbox's night runs the command again while a wallet that was away is waited for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from transitpay.clock import ManualClock
from transitpay.sandbox import night


async def test_a_night_whose_wallet_was_away_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    states = ["WAITING", "WAITING", "DONE"]
    said = [night.NightRun(0, {"days": [{"steps": [{"state": it}]}]}) for it in ["DONE", *states]]
    runs = iter(said)

    async def nightly(*_: object) -> night.NightRun:
        return next(runs)

    monkeypatch.setattr(night, "_nightly", nightly)
    monkeypatch.setattr(night, "_RETRY_S", 0.0)
    town: Any = SimpleNamespace(clock=ManualClock(datetime(2026, 11, 1, tzinfo=UTC)))
    assert await night.run_night(town, date(2026, 10, 30), lambda _: None) is said[-1]
