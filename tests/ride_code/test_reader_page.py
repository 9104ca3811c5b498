"""The reference of the SDK names what is really there: every call, every effect, every setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from transitpay.ride_code.reader import Effect, Reader, ReaderSettings
from transitpay.ride_code.reader.breaker import State
from transitpay.runtime import reader_store

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "reference" / "reader-sdk.md").read_text(encoding="utf-8")
NEEDED = {
    "operator": "mtr", "network": "mtr", "stop": "HUH", "direction": "entry",
    "destination": "0", "mode": "0",
}  # fmt: skip


def first_cells(heading: str) -> str:
    """The first column of the table with this heading, as one text."""
    table = PAGE.split(f"| {heading} |")[1].split("\n\n")[0]
    return "\n".join(line.split("|")[1] for line in table.splitlines()[2:])


def test_every_call_of_a_reader_is_documented_and_no_other() -> None:
    public = {name for name in vars(Reader) if not name.startswith("_")}
    calls = {name for name in public if callable(getattr(Reader, name))} - {"started"}
    told = set(re.findall(r"`(\w+)\(", first_cells("call")))
    assert told | {"next_deadline_ms"} == calls and "`next_deadline_ms()`" in PAGE


def test_every_effect_is_documented_and_no_other() -> None:
    told = set(re.findall(r"`(\w+)`", first_cells("effect")))
    assert told == {effect.__name__ for effect in get_args(Effect)}


def test_the_states_of_the_breaker_are_those_of_the_page() -> None:
    assert {cell.strip() for cell in first_cells("state").splitlines()} == set(State)


def test_the_capacity_of_the_page_is_that_of_the_store() -> None:
    assert reader_store.CAPACITY == 50_000 and "2,000 records" in PAGE and "10,000 newer" in PAGE


def _config_rows() -> list[tuple[str, str]]:
    text = (DOCS / "reader-protocol.md").read_text(encoding="utf-8")
    table = text.split("| name | default | value |")[1].split("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    found = []
    for names, defaults in rows:
        values = re.findall(r"`([^`]+)`", defaults)
        names_here = re.findall(r"`([^`]+)`", names)
        found += [
            (n, values[i if len(values) > 1 else 0]) for i, n in enumerate(names_here) if values
        ]
    return found


@pytest.mark.parametrize(("name", "default"), _config_rows())
def test_a_setting_without_a_value_is_as_if_it_had_the_default_of_the_page(
    name: str, default: str
) -> None:
    assert ReaderSettings.of({**NEEDED, name: default}) == ReaderSettings.of(NEEDED)
