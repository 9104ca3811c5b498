"""Transfer rules of a feed as transfers of a tariff, where these can say them.

A tariff takes one amount off a ride that begins within some minutes of the ride before, for all
rides from a network to ours. So a rule fits where it says the same for all leg groups of both
networks, and counts its time as we do: from an exit to an entry (duration_limit_type 2) after a
network with gates, from boarding to boarding (1) after others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from transitpay.fares.tariff_files.gtfs.choice import GtfsChoice
from transitpay.fares.tariff_files.gtfs.feed import Feed, Row, is_whole
from transitpay.fares.tariff_files.gtfs.products import Products
from transitpay.fares.tariff_files.problem import Problem
from transitpay.fares.terms import Transfer
from transitpay.money import Currency, Money

_RULES = "fare_transfer_rules.txt"
_SIDES = ("from_leg_group_id", "to_leg_group_id")
#: The most pairs of leg groups that are compared.
MOST_PAIRS = 100_000
_FROM_EXIT, _FROM_BOARDING = "2", "1"


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a rule gives between two leg groups."""

    after: str
    minutes: int
    off_minor: int


@dataclass(slots=True)
class Transfers:
    """Reads the transfer rules to one network; what does not fit is in ``left_out``."""

    feed: Feed
    products: Products
    own_rules: tuple[Row, ...]
    network: str
    unit: Currency
    choice: GtfsChoice
    left_out: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _left: set[Problem] = field(init=False, default_factory=set)
    _own_lines: frozenset[int] = field(init=False)
    _by_group: Mapping[str, list[Row]] = field(init=False)
    _sides: tuple[frozenset[str], frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._own_lines = frozenset(row.line for row in self.own_rules)
        by_group: dict[str, list[Row]] = {}
        for row in self.feed["fare_leg_rules.txt"]:
            by_group.setdefault(row["leg_group_id"], []).append(row)
        self._by_group = by_group
        # An empty group stands for those that no rule names on its side.
        start, end = (
            by_group.keys() - {row[side] for row in self.feed[_RULES]} - {""} for side in _SIDES
        )
        self._sides = (frozenset(start), frozenset(end))

    def read(self, *, is_matrix: bool) -> tuple[Transfer, ...]:
        """The transfers to our network, whose fares are of pairs or of routes."""
        own = {row["leg_group_id"] for row in self.own_rules}
        if len(own) * len(self._by_group) > MOST_PAIRS:
            for row in self.feed[_RULES]:
                self._leave(row, f"more than {MOST_PAIRS} pairs of leg groups")
            return ()
        given: dict[_Offer, dict[tuple[str, str], Row]] = {}
        for row in self.feed[_RULES]:
            for start, end in self._groups(row, own):
                for after in self._networks_of(start):
                    offer = self._offer(row, start, end, after, is_matrix=is_matrix)
                    if isinstance(offer, _Offer):
                        given.setdefault(offer, {})[start, end] = row
                    elif offer:
                        self._leave(row, offer)
        return tuple(self._complete(given, own))

    def _complete(
        self, given: dict[_Offer, dict[tuple[str, str], Row]], own: set[str]
    ) -> Iterator[Transfer]:
        for offer, pairs in given.items():
            before = {row["leg_group_id"] for row in self._rules_of(offer.after)}
            rows = list({row.line: row for row in pairs.values()}.values())
            lacking = {(start, end) for start in before for end in own} - pairs.keys()
            if lacking:
                start, end = min(lacking)
                reason = (
                    f"not from {start or 'no group'} to {end or 'no group'}, which are ours too"
                )
                for row in rows:
                    self._leave(row, reason)
                continue
            if offer.after == self.network:
                reason = "the time runs from the ride before each ride, not from the first"
                self.warnings += [row.problem("duration_limit", reason) for row in rows]
            lines = ", ".join(str(row.line) for row in rows)
            yield Transfer(
                after=frozenset({offer.after}),
                within_minutes=offer.minutes,
                off=Money(offer.off_minor, self.unit),
                source=f"{rows[0].file} line {lines}",
            )

    def _groups(self, row: Row, own: set[str]) -> Iterator[tuple[str, str]]:
        """The leg groups that a rule is from and to, as far as it is to ours."""
        starts, ends = (
            frozenset({row[side]}) if row[side] else others
            for side, others in zip(_SIDES, self._sides, strict=True)
        )
        for start in sorted(starts):
            for end in sorted(ends & own):
                yield start, end

    def _offer(
        self, row: Row, start: str, end: str, after: str | None, *, is_matrix: bool
    ) -> _Offer | str | None:
        """What the rule gives, why a tariff cannot say it, or None where it gives nothing."""
        price = self.products.minor(row["fare_product_id"]) if row["fare_product_id"] else 0
        if price is None:
            return None  # for other riders or another medium
        off = self._off(row["fare_transfer_type"], price, start, end)
        if isinstance(off, str):
            return off
        if off == 0:
            return None
        if after is None:
            return f"from leg group {start} of a network that is none of ours"
        gated = is_matrix if after == self.network else self._is_gated(after)
        seconds = row["duration_limit"]
        if off < 0:
            return "a ride that costs more after another"
        if row["transfer_count"] not in ("", "-1"):
            return f"only {row['transfer_count']} rides in a row"
        if not is_whole(seconds) or int(seconds) < 60 or int(seconds) % 60:
            return "no limit of time" if not seconds else f"{seconds} seconds, no whole minutes"
        if row["duration_limit_type"] != (_FROM_EXIT if gated else _FROM_BOARDING):
            what = "exit to entry" if gated else "boarding to boarding"
            return f"duration_limit_type {row['duration_limit_type']}, and we count from {what}"
        return _Offer(after, int(seconds) // 60, off)

    def _off(self, kind: str, price: int, start: str, end: str) -> int | str:
        """What the ride after costs less; one that becomes free, by the most that it can cost."""
        if kind == "1":
            return -price
        before, after = self._prices(start), self._prices(end)
        if not after or kind not in ("0", "2"):
            return f"fare_transfer_type {kind!r}"
        if kind == "0" and (price == 0 or len(after) == 1):
            return max(after) - price
        if kind == "2" and len(before) == len(after) == 1 and min(before) <= price:
            return min(before) + min(after) - price
        return "a price for both rides together that is no fixed amount off the second"

    def _prices(self, group: str) -> set[int]:
        rules = self._by_group.get(group, [])
        prices = {self.products.minor(row["fare_product_id"]) for row in rules}
        return {price for price in prices if price is not None}

    def _networks_of(self, group: str) -> list[str | None]:
        """Our networks that have rules of a leg group; None for rules of no network of ours."""
        found = {
            self.network
            if row.line in self._own_lines
            else self.choice.networks.get(row["network_id"])
            for row in self._by_group.get(group, [])
        }
        return sorted(found, key=str)

    def _rules_of(self, network: str) -> list[Row]:
        if network == self.network:
            return list(self.own_rules)
        gtfs = {its for its, ours in self.choice.networks.items() if ours == network}
        return [row for row in self.feed["fare_leg_rules.txt"] if row["network_id"] in gtfs]

    def _is_gated(self, network: str) -> bool:
        return any(row["to_area_id"] for row in self._rules_of(network))

    def _leave(self, row: Row, reason: str) -> None:
        groups = f"{row['from_leg_group_id'] or 'any'} to {row['to_leg_group_id'] or 'any'}"
        problem = row.problem("fare_transfer_type", f"{groups}: {reason}")
        if problem not in self._left:
            self._left.add(problem)
            self.left_out.append(problem)
