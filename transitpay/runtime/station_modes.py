"""Records a station mode: the use case behind the operators' API and the command line."""

from __future__ import annotations

from dataclasses import replace

from transitpay.errors import Conflict, MalformedInput, RuleViolation
from transitpay.journeys.station_modes import StationMode
from transitpay.postgres import station_modes
from transitpay.postgres.pool import Connection


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
    if wish.replaces is not None:
        earlier = await station_modes.mode_of_request(conn, wish.operator, wish.replaces)
        if earlier is None:
            raise RuleViolation("not_found", "there is no such record", field="replaces")
        if await station_modes.is_replaced(conn, wish.operator, wish.replaces):
            raise Conflict(
                "already_replaced", "another record has taken its place", field="replaces"
            )
    return await station_modes.insert_mode(conn, wish)
