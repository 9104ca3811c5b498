"""The tables of a GTFS feed that fares depend on, row by row checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transitpay.fares.tariff_files.csv_table import table
from transitpay.fares.tariff_files.problem import Problem, SourceFile

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: file -> (columns that it must have, columns that are read where they are there).
TABLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "agency.txt": (("agency_name",), ("agency_id",)),
    "stops.txt": (
        ("stop_id",),
        ("stop_name", "stop_code", "location_type", "parent_station"),
    ),
    "routes.txt": (
        ("route_id",),
        ("agency_id", "route_short_name", "route_long_name", "network_id"),
    ),
    "areas.txt": (("area_id",), ()),
    "stop_areas.txt": (("area_id", "stop_id"), ()),
    "networks.txt": (("network_id",), ()),
    "route_networks.txt": (("network_id", "route_id"), ()),
    "timeframes.txt": (("timeframe_group_id", "service_id"), ("start_time", "end_time")),
    "calendar.txt": (("service_id", *WEEKDAYS), ()),
    "calendar_dates.txt": (("service_id", "date", "exception_type"), ()),
    "rider_categories.txt": (("rider_category_id",), ("is_default_fare_category",)),
    "fare_media.txt": (("fare_media_id", "fare_media_type"), ("fare_media_name",)),
    "fare_products.txt": (
        ("fare_product_id", "amount", "currency"),
        ("fare_product_name", "rider_category_id", "fare_media_id"),
    ),
    "fare_leg_rules.txt": (
        ("fare_product_id",),
        (
            "leg_group_id",
            "network_id",
            "from_area_id",
            "to_area_id",
            "from_timeframe_group_id",
            "to_timeframe_group_id",
            "rule_priority",
        ),
    ),
    "fare_leg_join_rules.txt": (
        ("from_network_id", "to_network_id"),
        ("from_stop_id", "to_stop_id"),
    ),
    "fare_transfer_rules.txt": (
        ("fare_transfer_type",),
        (
            "from_leg_group_id",
            "to_leg_group_id",
            "transfer_count",
            "duration_limit",
            "duration_limit_type",
            "fare_product_id",
        ),
    ),
    "translations.txt": (
        ("table_name", "field_name", "language", "translation"),
        ("record_id", "record_sub_id", "field_value"),
    ),
}
_REQUIRED = ("stops.txt", "routes.txt", "fare_products.txt", "fare_leg_rules.txt")
#: file -> the columns whose values together name a row.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "agency.txt": ("agency_id",),
    "stops.txt": ("stop_id",),
    "routes.txt": ("route_id",),
    "areas.txt": ("area_id",),
    "networks.txt": ("network_id",),
    "route_networks.txt": ("route_id",),
    "stop_areas.txt": ("area_id", "stop_id"),
    "calendar.txt": ("service_id",),
    "calendar_dates.txt": ("service_id", "date"),
    "rider_categories.txt": ("rider_category_id",),
    "fare_media.txt": ("fare_media_id",),
    "fare_products.txt": ("fare_product_id", "rider_category_id", "fare_media_id"),
    "fare_leg_rules.txt": (
        "network_id",
        "from_area_id",
        "to_area_id",
        "from_timeframe_group_id",
        "to_timeframe_group_id",
        "fare_product_id",
    ),
    "fare_transfer_rules.txt": (
        "from_leg_group_id",
        "to_leg_group_id",
        "fare_product_id",
        "transfer_count",
        "duration_limit",
    ),
}
#: (file, column) -> (file, column) where a value that is not empty must stand.
_LINKS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("stops.txt", "parent_station"): ("stops.txt", "stop_id"),
    ("stop_areas.txt", "area_id"): ("areas.txt", "area_id"),
    ("stop_areas.txt", "stop_id"): ("stops.txt", "stop_id"),
    ("route_networks.txt", "route_id"): ("routes.txt", "route_id"),
    ("route_networks.txt", "network_id"): ("networks.txt", "network_id"),
    ("fare_products.txt", "rider_category_id"): ("rider_categories.txt", "rider_category_id"),
    ("fare_products.txt", "fare_media_id"): ("fare_media.txt", "fare_media_id"),
    ("fare_leg_rules.txt", "from_area_id"): ("areas.txt", "area_id"),
    ("fare_leg_rules.txt", "to_area_id"): ("areas.txt", "area_id"),
    ("fare_leg_rules.txt", "fare_product_id"): ("fare_products.txt", "fare_product_id"),
    ("fare_leg_rules.txt", "from_timeframe_group_id"): ("timeframes.txt", "timeframe_group_id"),
    ("fare_leg_rules.txt", "to_timeframe_group_id"): ("timeframes.txt", "timeframe_group_id"),
    ("fare_transfer_rules.txt", "from_leg_group_id"): ("fare_leg_rules.txt", "leg_group_id"),
    ("fare_transfer_rules.txt", "to_leg_group_id"): ("fare_leg_rules.txt", "leg_group_id"),
    ("fare_transfer_rules.txt", "fare_product_id"): ("fare_products.txt", "fare_product_id"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: where it stands, and its cells by column (empty where it has none)."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def problem(self, column: str, reason: str) -> Problem:
        """A problem of this row."""
        return Problem(self.file, self.line, column, reason)


@dataclass(slots=True)
class Feed:
    """The rows of each file by its name in the feed; none where the feed has no such file."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    with_priority: bool = False

    def __getitem__(self, name: str) -> list[Row]:
        return self.rows.get(name, [])

    def network_of(self) -> Mapping[str, str]:
        """GTFS network of each route that has one."""
        listed = {row["route_id"]: row["network_id"] for row in self["route_networks.txt"]}
        own = {row["route_id"]: row["network_id"] for row in self["routes.txt"]}
        return {route: network for route, network in (own | listed).items() if network}


def read_feed(files: Mapping[str, SourceFile], problems: list[Problem]) -> Feed:
    """The feed; what is wrong with it is added to ``problems``."""
    feed = Feed()
    for name in _REQUIRED:
        if name not in files:
            reason = "file is missing"
            if name.startswith("fare_") and "fare_attributes.txt" in files:
                reason += "; fares of version 1 (fare_attributes.txt) are not read"
            problems.append(Problem(name, None, "feed", reason))
    for name, (columns, optional) in TABLES.items():
        if name not in files:
            continue
        file = files[name]
        read = table(file, columns, problems, optional=optional)
        rows = [Row(file.name, line, cells) for line, cells in read]
        feed.rows[name] = rows
        _check_keys(rows, _KEYS.get(name, ()), columns, problems)
    rules = files.get("fare_leg_rules.txt")
    # Whether the column is there at all changes what an empty cell means.
    feed.with_priority = rules is not None and "rule_priority" in _header(rules)
    for (name, column), (other, key) in _LINKS.items():
        known = {row[key] for row in feed[other]}
        problems += [
            row.problem(column, f"{row[column]!r} is not in {other}")
            for row in feed[name]
            if row[column] and row[column] not in known
        ]
    _check_networks(feed, problems)
    problems += [
        row.problem("rule_priority", f"{row['rule_priority']!r} is no whole number from 0 on")
        for row in feed["fare_leg_rules.txt"]
        if row["rule_priority"] and not is_whole(row["rule_priority"])
    ]
    return feed


def is_whole(text: str) -> bool:
    """Whether a cell is a whole number from 0 on, of a length that numbers have."""
    return text.isascii() and text.isdigit() and len(text) < 10


def _header(file: SourceFile) -> list[str]:
    first = file.content.partition(b"\n")[0].decode("utf-8-sig", "replace")
    return [name.strip().strip('"').casefold() for name in first.split(",")]


def _check_keys(
    rows: list[Row], key: tuple[str, ...], columns: tuple[str, ...], problems: list[Problem]
) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        problems += [row.problem(name, "empty") for name in columns if not row[name]]
        if not key:
            continue
        own = tuple(row[name] for name in key)
        if own in seen:
            problems.append(row.problem(key[-1], f"the same as line {seen[own]}"))
        seen.setdefault(own, row.line)


def _check_networks(feed: Feed, problems: list[Problem]) -> None:
    """Networks stand in routes.txt or in files of their own, and rules name no others."""
    apart = "networks.txt" in feed.rows or "route_networks.txt" in feed.rows
    if apart:
        problems += [
            row.problem("network_id", "forbidden beside networks.txt and route_networks.txt")
            for row in feed["routes.txt"]
            if row["network_id"]
        ]
    known = {row["network_id"] for row in feed["networks.txt"]}
    known |= set(feed.network_of().values())
    agencies = {row["agency_id"] for row in feed["agency.txt"]}
    problems += [
        row.problem("network_id", f"{row['network_id']!r} is no network of the feed")
        for row in feed["fare_leg_rules.txt"]
        if row["network_id"] and row["network_id"] not in known
    ]
    problems += [
        row.problem("agency_id", f"{row['agency_id']!r} is not in agency.txt")
        for row in feed["routes.txt"]
        if row["agency_id"] and row["agency_id"] not in agencies
    ]
