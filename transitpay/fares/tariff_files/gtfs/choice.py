"""What an importer says of a feed that holds more than one network, fare medium or rider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transitpay.fares.tariff_files.gtfs.feed import Feed, Row
from transitpay.fares.tariff_files.problem import Problem


@dataclass(frozen=True, slots=True)
class GtfsChoice:
    """Which part of a feed is read; each may be left out where the feed leaves no choice.

    ``agency`` and ``gtfs_networks`` are the routes; ``media`` and ``rider`` the columns of
    fare_products.txt that ride codes pay (rider: else the default category); ``products`` the only
    fare products that count, for feeds that list passes beside single rides. ``networks`` names
    our network of each other GTFS network, from which transfers are given.
    """

    agency: str | None = None
    gtfs_networks: frozenset[str] | None = None
    media: str | None = None
    rider: str | None = None
    products: frozenset[str] | None = None
    networks: Mapping[str, str] = field(default_factory=dict)


def chosen_routes(feed: Feed, choice: GtfsChoice) -> list[Row]:
    """The routes that are read."""
    networks = feed.network_of()
    return [
        row
        for row in feed["routes.txt"]
        if choice.agency in (None, row["agency_id"])
        and (
            choice.gtfs_networks is None
            or networks.get(row["route_id"], "") in choice.gtfs_networks
        )
    ]


def check_choice(feed: Feed, choice: GtfsChoice, problems: list[Problem]) -> None:
    """What is chosen is in the feed, and what must be chosen is."""
    networks = set(feed.network_of().values())
    asked: list[tuple[str, str, str | None]] = [
        ("agency.txt", "agency_id", choice.agency),
        ("fare_media.txt", "fare_media_id", choice.media),
        ("rider_categories.txt", "rider_category_id", choice.rider),
        *(("fare_products.txt", "fare_product_id", it) for it in sorted(choice.products or ())),
    ]
    for file, column, value in asked:
        known = sorted({row[column] for row in feed[file]})
        if value is not None and value not in known:
            reason = f"{value!r} was chosen; there are {', '.join(known) or 'none'}"
            problems.append(Problem(file, None, column, reason))
    for network in sorted((choice.gtfs_networks or frozenset()) | choice.networks.keys()):
        if network not in networks:
            reason = f"{network!r} was chosen; there are {', '.join(sorted(networks)) or 'none'}"
            problems.append(Problem("networks.txt", None, "network_id", reason))
    agencies = [row["agency_id"] for row in feed["agency.txt"]]
    if len(agencies) > 1 and choice.agency is None and choice.gtfs_networks is None:
        reason = f"several agencies, {', '.join(agencies)}: name one, or its networks"
        problems.append(Problem("agency.txt", None, "agency_id", reason))
    defaults = [r for r in feed["rider_categories.txt"] if r["is_default_fare_category"] == "1"]
    if choice.rider is None and feed["rider_categories.txt"] and len(defaults) != 1:
        reason = f"{len(defaults)} default categories: name the riders who pay"
        problems.append(Problem("rider_categories.txt", None, "is_default_fare_category", reason))
    if not chosen_routes(feed, choice) and not problems:
        problems.append(Problem("routes.txt", None, "route_id", "no route was chosen"))
