"""Whether a station mode holds where and when a rider tapped, however its stop is spelled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from transitpay.journeys.rules import RuleBook
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.taps import Tap


def is_there(mode: StationMode, taps: Iterable[Tap], day: date, book: RuleBook) -> bool:
    """Whether the mode, of the taps' network, is that of a stop or route of one of the taps.

    ``day`` is the service day whose names count; a mode of the whole network is everywhere.
    """
    if mode.stop is None:
        return True
    places = {text for tap in taps for text in (tap.stop, tap.route) if text is not None}
    place = book.stop_id(mode.network, day, mode.stop)
    return place in {book.stop_id(mode.network, day, text) for text in places}


def was_delayed(
    entry: Tap, exit: Tap, day: date, modes: Iterable[StationMode], book: RuleBook
) -> bool:
    """Whether a date waiver held during the stay, at one of its ends or on the network."""
    return any(
        it.mode is Mode.DATE_WAIVER
        and it.overlaps(entry.at, exit.at)
        and is_there(it, (entry, exit), day, book)
        for it in modes
    )
