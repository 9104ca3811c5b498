"""The world of gateway tests: enrolled, with as many real gateways as a test starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_world import AT, World

from transitpay.clock import ManualClock


@pytest.fixture
async def world(db: Any) -> AsyncIterator[World]:
    made = World(db, ManualClock(AT))
    await made.enrol()
    yield made
    await made.close()
