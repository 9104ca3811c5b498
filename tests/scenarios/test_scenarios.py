"""Every scenario of the tables costs what it says, and every rule of the register is on both sides.

The taps of a row go through the public pure functions that the settlement calls: ``assemble`` and
``price_all``. Each row is run a second time with its taps turned round and doubled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scenarios.books import scenario_books
from scenarios.register import RULES
from scenarios.scenario import Scenario, all_tables, matches, run
from transitpay.fares.tariff import TariffBook

TABLES = list(all_tables(Path(__file__).parent))
SCENARIOS = [scenario for _, scenarios in TABLES for scenario in scenarios]


@pytest.fixture(scope="module")
def books() -> Mapping[str, TariffBook]:
    return scenario_books()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: f"{it.rule}/{it.side}/{it.where}")
def test_a_scenario_costs_what_its_row_says(
    scenario: Scenario, books: Mapping[str, TariffBook]
) -> None:
    told = run(scenario, books)
    assert matches(told, scenario.costs), f"{scenario.where}: {'; '.join(told)}"
    assert run(scenario, books, turned=True) == told


def test_every_rule_of_the_register_has_its_scenarios_on_each_side() -> None:
    shown: dict[str, set[str]] = {}
    for scenario in SCENARIOS:
        shown.setdefault(scenario.rule, set()).add(scenario.side)
    owed = {rule: sides - shown.get(rule, set()) for rule, sides in RULES.items()}
    assert {rule: sides for rule, sides in owed.items() if sides} == {}


def test_every_rule_of_the_tables_is_in_the_register_once_and_names_its_source() -> None:
    rules = [rule for table, _ in TABLES for rule in table]
    assert sorted(rules) == sorted(RULES)
    assert all(len(words) > 20 for table, _ in TABLES for words in table.values())
