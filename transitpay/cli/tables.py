"""What the tables of the demo and of the replay have in common."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

#: The JSON object that a command ends with. Any: it is what was read from the database.
Totals = Mapping[str, Any]

#: Columns that a table with names of versions or journeys needs.
_WIDE = 160
_RATE_SHOWN = Decimal("0.000001")
_HELD = (
    "HELD: no rate was published for the minute of the ride, so nothing was asked of the wallet."
    " On a busy machine the feeds fall behind a sandbox's fast clock."
)


def new_table(title: str, *columns: str) -> Table:
    """A table; a column whose name ends with a colon is right-aligned."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        justify: JustifyMethod = "right" if column.endswith(":") else "left"
        # A line with Chinese may be cut by a letter where words are wrapped: fold keeps it.
        table.add_column(column.rstrip(":"), justify=justify, overflow="fold")
    return table


def wide_console() -> Console:
    """A console on which names and ids of a table are not cut, also where output is piped."""
    console = Console()
    console.width = max(console.width, _WIDE)
    return console


def amount_text(minor: int, currency: str) -> str:
    """An amount of a currency with two decimals, such as ``CNY 1,234.50``."""
    return f"{currency} {Decimal(minor).scaleb(-2):,.2f}"


def charges(totals: Totals) -> Table:
    """Charges by wallet and state."""
    table = new_table("Charges", "wallet", "state", "charges:", "amount:")
    for row in totals["charges"]:
        amount = amount_text(row["amount_minor"], row["currency"])
        table.add_row(row["wallet"], row["state"], str(row["charges"]), amount)
    if any(row["state"] == "HELD" for row in totals["charges"]):
        table.caption, table.caption_justify = _HELD, "left"
    return table


def quotes(totals: Totals) -> Table:
    """Our own conversions by corridor; rates are shown with six decimals and stored with ten."""
    table = new_table("FX", "corridor", "quotes:", "fares:", "charged:", "spread:", "mid:")
    for row in totals["fx"]["quotes"]:
        fare, charge = row["fare_currency"], row["charge_currency"]
        table.add_row(
            f"{fare} -> {charge}",
            str(row["quotes"]),
            amount_text(row["fare_minor"], fare),
            amount_text(row["charge_minor"], charge),
            amount_text(row["spread_minor"], charge),
            f"{_rate_text(row['lowest_mid'])} to\n{_rate_text(row['highest_mid'])}",
        )
    return table


def show_end(totals: Totals, console: Console) -> None:
    """The last lines: whether the books balance, every fault, what it took."""
    balanced = totals["ledger"]["balanced"]
    console.print(f"Books: {'balanced' if balanced else 'NOT BALANCED'}", style="bold")
    for fault in totals["faults"]:
        console.print(f"FAULT: {fault}", style="bold red")
    console.print(
        f"{totals['seconds']} s, at most {totals['memory_mib']} MiB beside PostgreSQL, "
        f"clock x{totals['speed']}, {totals['restarts']} restarts"
    )


def new_progress(console: Console) -> Progress:
    """A bar with its counts and the time that went by; gone when it ends."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def _rate_text(rate: object) -> str:
    return str(Decimal(str(rate)).quantize(_RATE_SHOWN, ROUND_HALF_EVEN))
