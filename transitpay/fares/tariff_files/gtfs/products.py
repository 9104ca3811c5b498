"""What a fare product costs the riders of ride codes: one amount of its many rows."""

from __future__ import annotations

from transitpay.fares.tariff_files.amounts import read_amount
from transitpay.fares.tariff_files.gtfs.choice import GtfsChoice
from transitpay.fares.tariff_files.gtfs.feed import Feed, Row
from transitpay.fares.tariff_files.problem import Problem
from transitpay.fares.terms_file import TermsFile
from transitpay.money import Money


class Products:
    """Prices by fare product, for the rider and the fare medium that were chosen.

    A product that is not for them, or not among the chosen ones, has no price. What is wrong with
    a product is noted once, when it is first asked for: a feed may hold what nobody here needs.
    """

    __slots__ = ("_choice", "_media", "_prices", "_problems", "_riders", "_rows", "_step", "_unit")

    def __init__(
        self, feed: Feed, choice: GtfsChoice, terms: TermsFile, problems: list[Problem]
    ) -> None:
        self._choice, self._problems = choice, problems
        self._unit, self._step = terms.currency, terms.likely.step_minor
        self._rows: dict[str, list[Row]] = {}
        for row in feed["fare_products.txt"]:
            self._rows.setdefault(row["fare_product_id"], []).append(row)
        categories = feed["rider_categories.txt"]
        default = [
            r["rider_category_id"] for r in categories if r["is_default_fare_category"] == "1"
        ]
        self._riders = {choice.rider} if choice.rider is not None else set(default)
        self._media = {
            r["fare_media_id"]: r["fare_media_name"] or r["fare_media_id"]
            for r in feed["fare_media.txt"]
        }
        self._prices: dict[str, int | None] = {}

    def minor(self, product: str) -> int | None:
        """The price in minor units, negative for a discount; None where it has none."""
        if product not in self._prices:
            self._prices[product] = self._price(product)
        return self._prices[product]

    def shown(self, product: str) -> str:
        """The product with its price, for a reason."""
        return f"{product} ({Money(self.minor(product) or 0, self._unit)})"

    def _price(self, product: str) -> int | None:
        if self._choice.products is not None and product not in self._choice.products:
            return None
        rows = self._rows.get(product, [])
        rows = _narrowest(rows, "rider_category_id", self._riders)
        if self._choice.media is not None:
            rows = _narrowest(rows, "fare_media_id", {self._choice.media})
        amounts = [self._amount(row) for row in rows]
        if len(set(amounts) - {None}) > 1:
            told = ", ".join(
                f"{row['amount']} ({row['rider_category_id'] or 'any rider'}, "
                f"{self._media.get(row['fare_media_id'], 'any medium')})"
                for row in rows
            )
            reason = f"{product} has several prices, {told}: name the rider and the medium"
            self._problems.append(rows[0].problem("amount", reason))
            return None
        return amounts[0] if amounts else None

    def _amount(self, row: Row) -> int | None:
        text = row["amount"]
        if row["currency"] != self._unit.code:
            reason = f"{row['currency']!r} where the terms have {self._unit}"
            self._problems.append(row.problem("currency", reason))
            return None
        decimals = len(text.partition(".")[2])
        if decimals != self._unit.exponent:
            reason = f"{text[:20]!r} has not the {self._unit.exponent} decimals of {self._unit}"
            self._problems.append(row.problem("amount", reason))
            return None
        minor = read_amount(text.removeprefix("-"), self._unit)
        if isinstance(minor, str):
            self._problems.append(row.problem("amount", minor))
            return None
        if minor % self._step:
            reason = f"not a multiple of {Money(self._step, self._unit)}"
            self._problems.append(row.problem("amount", reason))
            return None
        return -minor if text.startswith("-") else minor


def _narrowest(rows: list[Row], column: str, wanted: set[str]) -> list[Row]:
    """The rows for one of ``wanted``; without any, those that are for all."""
    own = [row for row in rows if row[column] in wanted]
    return own or [row for row in rows if not row[column]]
