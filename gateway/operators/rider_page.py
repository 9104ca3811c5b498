"""A rider on one page, for the house's support: rides, corrections, why codes are denied.

The texts are those that the rider's wallet gets, in the three languages; no account, no token.
"""

from __future__ import annotations

import re

from aiohttp import web

from gateway.http.paging import next_cursor, read_cursor
from gateway.http.web import PATH_PARAMETERS, Call, Route
from gateway.operators.console import render_page
from gateway.operators.operator_api import HOUSE
from gateway.riders.showing import denial, page_of_rides, refusals
from transitpay.postgres.journeys import riders

_RIDES, _REFUSALS = 50, 20


async def show_rider(call: Call) -> web.Response:
    """The rider of ``?wallet=...&rider=...``; without them the form alone.

    Rides come a page at a time, the older ones by ``&cursor=...``. Raises: MalformedInput
    (``bad_cursor``).
    """
    query, actor = call.request.query, call.caller.actor
    wallet, rider_id = query.get("wallet", "").strip(), query.get("rider", "").strip()
    rider, places = (wallet, rider_id), call.services.places.current
    if not wallet and not rider_id:
        return render_page("rider.html", actor=actor, wallet="", rider="", found=None)
    async with call.services.database.transaction() as conn:
        known = re.fullmatch(PATH_PARAMETERS["rider_id"], rider_id) is not None
        if not known or await riders.rider(conn, *rider) is None:
            return render_page(
                "rider.html", 404, actor=actor, wallet=wallet, rider=rider_id, found=False
            )
        after = read_cursor(query.get("cursor"))
        shown, rows = await page_of_rides(conn, places, rider, after, _RIDES)
        denied = await denial(conn, rider)
        refused = await refusals(conn, places, rider, _REFUSALS)
    return render_page(
        "rider.html", actor=actor, wallet=wallet, rider=rider_id, found=True, rides=shown,
        older=next_cursor(rows, _RIDES),
        denial=denied, refusals=refused,
    )  # fmt: skip


ROUTES = (
    Route(
        "GET", "/console/rider", show_rider, "A rider on one page, for support", HOUSE, page=True,
        media="text/html", also=(303,), errors=("not_found", "bad_cursor"),
    ),
)  # fmt: skip
