"""The settings that a reader is sent: its registration, what its stop costs, how its gates stand.

The names are those of docs/reader-protocol.md; what stands at its default there is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transitpay.journeys.station_modes import Mode
from transitpay.money import Money
from transitpay.postgres.reference import ReaderRegistration

_GATES: Mapping[Mode | None, str] = {Mode.GATES_OPEN: "open", Mode.EMERGENCY: "emergency"}


def config_values_of(
    reader: ReaderRegistration,
    *,
    test_keys_allowed: bool,
    highest_fares: Sequence[Money] = (),
    gates: Mode | None = None,
) -> dict[str, str]:
    """Name -> value of the config of one reader.

    ``highest_fares`` are the highest plain fares from its stop, once per currency; ``gates`` is the
    mode by which its gates stand open.
    """
    values = {
        "operator": reader.operator,
        "network": reader.network,
        "stop": reader.stop,
        "direction": str(reader.direction),
        "destination": str(reader.destination),
        "mode": str(reader.mode),
        "passback_s": str(reader.passback_s),
    }
    if reader.service_excluded:
        values["service_excluded"] = "1"
    if test_keys_allowed:
        values["test_keys_allowed"] = "1"
    for fare in highest_fares:
        values[f"highest_fare.{fare.currency.code}"] = str(fare.minor)
    if gates in _GATES:
        values["gates"] = _GATES[gates]
    return values
