"""Records a station mode: the use case behind the operators' API and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from transitpay.errors import Conflict, MalformedInput, RuleViolation
from transitpay.journeys.station_modes import StationMode
from transitpay.postgres.gates import station_modes
from transitpay.postgres.gates.taps import note_riders
from transitpay.postgres.pool import Connection

#: A ride of which one end lies in a mode's time has the other at most so far from it.
_AROUND = timedelta(days=1)


async def record_mode(conn: Connection, wish: StationMode) -> StationMode:
    """The record of this request: made now, or the same one made before. Its id is given here.

    Raises: MalformedInput (``bad_period``), RuleViolation (``not_found``: no network of this
    operator, or no record to replace; ``unknown_stop``), Conflict (``request_repeated``,
    ``already_replaced``).
    """
    if wish.valid_until is not None and wish.valid_until < wish.valid_from:
        raise MalformedInput("bad_period", "ends before it begins", field="valid_until")
    if not await station_modes.has_network(conn, wish.operator, wish.network):
        raise RuleViolation("not_found", "there is no such network of yours", field="network")
    if wish.stop is not None and not await station_modes.has_stop(conn, wish.network, wish.stop):
        raise RuleViolation(
            "unknown_stop", "no reader of the network and no tariff knows it", field="stop"
        )
    await station_modes.lock_modes(conn)
    known = await station_modes.mode_of_request(conn, wish.operator, wish.request_id)
    if known is not None:
        if replace(known, id=0, recorded_by="", recorded_at=wish.recorded_at) != replace(
            wish, id=0, recorded_by=""
        ):
            raise Conflict(
                "request_repeated", "this request id was used for another mode", field="request_id"
            )
        return known
    earlier = None
    if wish.replaces is not None:
        earlier = await station_modes.mode_of_request(conn, wish.operator, wish.replaces)
        if earlier is None:
            raise RuleViolation("not_found", "there is no such record", field="replaces")
        if await station_modes.is_replaced(conn, wish.operator, wish.replaces):
            raise Conflict(
                "already_replaced", "another record has taken its place", field="replaces"
            )
    made = await station_modes.insert_mode(conn, wish)
    await _read_again(conn, [made] if earlier is None else [made, earlier])
    return made


async def _read_again(conn: Connection, told: Sequence[StationMode]) -> None:
    """Whoever rode while one of these held is read again: journeys may end elsewhere or cost less.

    A mode that has not begun finds riders by their taps.
    """
    at, first_at = told[0].recorded_at, min(it.valid_from for it in told)
    if first_at > at:
        return
    ends = [it.valid_until for it in told if it.valid_until is not None]
    last_at = max(ends) + _AROUND if len(ends) == len(told) else None
    network = told[0].network
    riders = await station_modes.riders_there(conn, network, first_at - _AROUND, last_at)
    if riders:
        await note_riders(conn, riders, at, first_at)
