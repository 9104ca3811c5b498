"""Tables of commands: whatever is wrapped, nothing of a cell is lost."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from transitpay.cli.tables import charges, new_table


@pytest.mark.parametrize("width", range(40, 121))
def test_a_cell_of_two_scripts_keeps_every_letter_at_any_width(width: int) -> None:
    said = "business car 福田 to 机场: 2 x CNY 7.00, Line 11: the path and 2 x the part in it"
    table = new_table("fare", "line", "why", "CNY:")
    table.add_row("car", said, "14.00")
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    cells = [row.split("│")[2] for row in text.getvalue().splitlines() if row.startswith("│")]
    assert re.sub(r"\s", "", "".join(cells)) == re.sub(r"\s", "", said)


@pytest.mark.parametrize(("state", "told"), [("HELD", True), ("CAPTURED", False)])
def test_a_charge_that_is_held_is_told_why(state: str, told: bool) -> None:
    row = {"wallet": "alipay", "state": state, "charges": 2, "amount_minor": 5, "currency": "CNY"}
    text = io.StringIO()
    Console(file=text, width=100).print(charges({"charges": [row]}))
    assert ("no rate was published" in " ".join(text.getvalue().split())) is told
