"""What wallets call about rides: pages of them, one with its history, why codes are refused."""

from __future__ import annotations

from gateway.http.paging import next_cursor, read_cursor
from gateway.http.problems import not_found
from gateway.http.web import Call, Route
from gateway.riders.ride_models import (
    RefusalsAnswer,
    RefusalsQuery,
    RideAnswer,
    RideQuery,
    RidesAnswer,
    RidesQuery,
)
from gateway.riders.showing import denial, one_ride, page_of_rides, refusals
from transitpay.postgres.journeys import riders
from transitpay.postgres.reference import Role

_WALLETS = frozenset({Role.WALLET})
_RIDERS = "/v1/riders/{rider_id}"


async def list_rides(call: Call) -> RidesAnswer:
    """A page of the rider's journeys, newest first."""
    asked, rider, places = call.query_as(RidesQuery), _rider(call), call.services.places.current
    after = read_cursor(asked.cursor)
    async with call.services.database.transaction() as conn:
        if await riders.rider(conn, *rider) is None:
            raise not_found("rider")
        found, rows = await page_of_rides(conn, places, rider, after, asked.limit)
    return RidesAnswer(rides=found, next_cursor=next_cursor(rows, asked.limit))


async def show_ride(call: Call) -> RideAnswer:
    """A ride with all that was ever booked for it."""
    asked, rider, places = call.query_as(RideQuery), _rider(call), call.services.places.current
    async with call.services.database.transaction() as conn:
        if await riders.rider(conn, *rider) is None:
            raise not_found("rider")
        found = await one_ride(conn, places, rider, asked.ride_id)
    if found is None:
        raise not_found("ride")
    ride, revisions = found
    return RideAnswer(ride=ride, revisions=revisions)


async def list_refusals(call: Call) -> RefusalsAnswer:
    """The rider's last refused scans with the text of the gate, and a denial that stands."""
    asked, rider, places = call.query_as(RefusalsQuery), _rider(call), call.services.places.current
    async with call.services.database.transaction() as conn:
        if await riders.rider(conn, *rider) is None:
            raise not_found("rider")
        return RefusalsAnswer(
            refusals=await refusals(conn, places, rider, asked.limit),
            denial=await denial(conn, rider),
        )


def _rider(call: Call) -> tuple[str, str]:
    return call.participant, call.request.match_info["rider_id"]


ROUTES = (
    Route(
        "GET", f"{_RIDERS}/rides", list_rides, "A rider's journeys and charges", _WALLETS,
        query=RidesQuery, answer=RidesAnswer, errors=("not_found", "bad_cursor"),
    ),
    Route(
        "GET", f"{_RIDERS}/ride", show_ride, "One ride with all that was booked for it", _WALLETS,
        query=RideQuery, answer=RideAnswer, errors=("not_found",),
    ),
    Route(
        "GET", f"{_RIDERS}/refusals", list_refusals, "Why a rider is refused, for support",
        _WALLETS, query=RefusalsQuery, answer=RefusalsAnswer, errors=("not_found",),
    ),
)  # fmt: skip
