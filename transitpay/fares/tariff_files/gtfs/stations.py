"""The stations of a feed with their areas and their names in three languages."""

from __future__ import annotations

from dataclasses import dataclass

from transitpay.fares.tariff import Stop
from transitpay.fares.tariff_files.gtfs.feed import Feed, Row
from transitpay.fares.tariff_files.problem import Problem

#: Stands for all areas that no rule names.
OTHER = ""
_SIDES = ("from_area_id", "to_area_id")
_STOP, _STATION = ("", "0"), "1"
_TRADITIONAL = ("zh-hant", "zh-hk", "zh-tw", "zh-mo")
_SIMPLIFIED = ("zh-hans", "zh-cn", "zh-sg", "zh")


@dataclass(frozen=True, slots=True)
class Station:
    """A station with its platforms, or a stop that is none's platform.

    ``areas`` are those that rules tell apart; ``split`` says why it is not one stop of a tariff.
    """

    stop: Stop
    areas: frozenset[str]
    split: Problem | None = None


def stations_of(feed: Feed, problems: list[Problem]) -> tuple[Station, ...]:
    """All stations, each with the areas that its fares depend on."""
    known = _KnownAreas(feed)
    platforms: dict[str, list[Row]] = {}
    for row in feed["stops.txt"]:
        if row["location_type"] in _STOP and row["parent_station"]:
            platforms.setdefault(row["parent_station"], []).append(row)
    names = Translations(feed, "stops", "stop_name")
    found: list[Station] = []
    for row in feed["stops.txt"]:
        is_stop = row["location_type"] in _STOP
        if not (row["location_type"] == _STATION or (is_stop and not row["parent_station"])):
            continue
        if not row["stop_name"]:
            problems.append(row.problem("stop_name", "empty"))
            continue
        own = platforms.get(row["stop_id"], [])
        others = [name for r in own for name in (r["stop_id"], r["stop_code"]) if name]
        codes = [row["stop_code"]] if row["stop_code"] else []
        stop = names.stop(row["stop_id"], row["stop_name"], [*codes, *others])
        each = known.of_station(row, own)
        reason = f"station {stop.id}: its platforms lie in different areas"
        split = row.problem("stop_id", reason) if len(each) > 1 else None
        found.append(Station(stop, frozenset().union(*each), split))
    return tuple(found)


class _KnownAreas:
    """The areas of each stop, of those that rules name; all others are alike to the rules."""

    __slots__ = ("_by_stop", "_need_area")

    def __init__(self, feed: Feed) -> None:
        rules = feed["fare_leg_rules.txt"]
        named = {row[side] for row in rules for side in _SIDES}
        self._need_area = "" not in named
        # An empty field stands for areas that no rule names; with priorities it stands for all.
        others_count = not self._need_area and not feed.with_priority
        by_stop: dict[str, set[str]] = {}
        for row in feed["stop_areas.txt"]:
            area = row["area_id"] if row["area_id"] in named else OTHER
            if area != OTHER or others_count:
                by_stop.setdefault(row["stop_id"], set()).add(area)
        self._by_stop = {stop: frozenset(areas) for stop, areas in by_stop.items()}

    def of_station(self, station: Row, platforms: list[Row]) -> set[frozenset[str]]:
        """The areas of its platforms; one without areas of its own has those of its station.

        A platform that is in none is no difference where rules need an area.
        """
        own = self._by_stop.get(station["stop_id"], frozenset())
        each = {self._by_stop.get(row["stop_id"], own) for row in platforms} or {own}
        if self._need_area and len(each) > 1:
            each.discard(frozenset())
        return each


class Translations:
    """The names of one column of one table in other languages."""

    __slots__ = ("_by_id", "_by_value")

    def __init__(self, feed: Feed, table: str, column: str) -> None:
        self._by_id: dict[tuple[str, str], str] = {}
        self._by_value: dict[tuple[str, str], str] = {}
        for row in feed["translations.txt"]:
            language = _language(row["language"])
            if language is None or (row["table_name"], row["field_name"]) != (table, column):
                continue
            if row["record_id"]:
                self._by_id[row["record_id"], language] = row["translation"]
            else:
                self._by_value[row["field_value"], language] = row["translation"]

    def stop(self, own_id: str, name: str, others: list[str]) -> Stop:
        """A stop with all its names; a name in plain letters is taken to be English."""
        in_languages = [
            self._by_id.get((own_id, language)) or self._by_value.get((name, language), "")
            for language in ("en", "zh-hant", "zh-hans")
        ]
        in_languages[0] = in_languages[0] or (name if name.isascii() else "")
        every = tuple(dict.fromkeys(text for text in (name, *in_languages, *others) if text))
        return Stop(own_id, every, *in_languages)


def _language(tag: str) -> str | None:
    plain = tag.casefold().replace("_", "-")
    if plain.startswith("en"):
        return "en"
    if plain.startswith(_TRADITIONAL):
        return "zh-hant"
    return "zh-hans" if plain.startswith(_SIMPLIFIED) else None
