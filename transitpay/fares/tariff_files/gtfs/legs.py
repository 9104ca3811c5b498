"""Which rules of fare_leg_rules.txt a leg of travel matches, and what it costs by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from transitpay.fares.tariff_files.gtfs.days import Days
from transitpay.fares.tariff_files.gtfs.feed import Row, is_whole
from transitpay.fares.tariff_files.gtfs.products import Products
from transitpay.fares.tariff_files.problem import Problem

#: Why a leg that no rule matches has no fare.
NO_RULE = "no rule with a fare for our riders"
_FIELDS = ("network_id", "from_area_id", "to_area_id")


class LegRules:
    """The rules of a feed, found by network and areas.

    Without the column rule_priority an empty field stands for all values that no rule names, and a
    rule that names all three comes first; with it an empty field matches all, and the highest
    priority counts.
    """

    __slots__ = ("_days", "_index", "_named", "_priority", "_products", "rules")

    def __init__(
        self,
        rules: Iterable[Row],
        products: Products,
        days: Mapping[str, Days | str],
        *,
        with_priority: bool,
    ) -> None:
        self.rules = tuple(rules)
        self._products, self._days, self._priority = products, days, with_priority
        self._named = [frozenset(r[name] for r in self.rules if r[name]) for name in _FIELDS]
        self._index: dict[tuple[str, ...], list[Row]] = {}
        for row in self.rules:
            self._index.setdefault(tuple(row[name] for name in _FIELDS), []).append(row)

    def minor(
        self, network: str, start: frozenset[str], end: frozenset[str], days: Days
    ) -> int | Problem | None:
        """The fare in minor units, why there is not one, or None where no rule has one."""
        prices: dict[str, int] = {}
        priced: list[Row] = []
        for row in self.match(network, start, end, days):
            price = self._products.minor(row["fare_product_id"])
            if price is not None:
                prices[row["fare_product_id"]] = price
                priced.append(row)
        if not priced:
            return None
        if len(set(prices.values())) > 1:
            told = ", ".join(self._products.shown(name) for name in sorted(prices))
            reason = f"several fares, {told}: name the products that ride codes pay"
            return priced[-1].problem("fare_product_id", reason)
        minor = prices[priced[0]["fare_product_id"]]
        return minor if minor >= 0 else priced[0].problem("fare_product_id", "a fare below 0")

    def match(
        self, network: str, start: frozenset[str], end: frozenset[str], days: Days
    ) -> list[Row]:
        """The rules that count for a leg."""
        values = (frozenset({network} if network else ()), start, end)
        choices = [self._choices(i, of) for i, of in enumerate(values)]
        found = [
            row
            for key in product(*choices)
            for row in self._index.get(key, [])
            if self._on(row, days)
        ]
        if self._priority:
            highest = max((_priority(row) for row in found), default=0)
            return [row for row in found if _priority(row) == highest]
        exact = [row for row in found if all(row[name] for name in _FIELDS)]
        return exact or found

    def _choices(self, place: int, values: frozenset[str]) -> list[str]:
        """What a rule may have in a field: a value of the leg, or nothing where that matches."""
        named = sorted(values & self._named[place])
        # A leg of which nothing is named, or that has nothing, is among all the others.
        if self._priority or not named or values - self._named[place]:
            return [*named, ""]
        return named

    def _on(self, row: Row, days: Days) -> bool:
        frames = {row["from_timeframe_group_id"], row["to_timeframe_group_id"]} - {""}
        return all(self._days.get(frame) in (Days.ALL, days) for frame in frames)


def _priority(row: Row) -> int:
    return int(row["rule_priority"]) if is_whole(row["rule_priority"]) else 0
