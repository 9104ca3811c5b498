"""The tables that the demo ends with, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

Totals = Mapping[str, Any]  # the demo's JSON object


def show(totals: Totals, console: Console) -> None:
    """All tables, in the order in which a tap becomes settled money."""
    for table in (
        _taps(totals),
        _journeys(totals),
        _charges(totals),
        _fx(totals),
        _net(totals),
        _breaks(totals),
    ):
        console.print(table)
    balanced = totals["ledger"]["balanced"]
    console.print(f"Books: {'balanced' if balanced else 'NOT BALANCED'}", style="bold")
    for fault in totals["faults"]:
        console.print(f"FAULT: {fault}", style="bold red")
    console.print(
        f"{totals['seconds']} s, at most {totals['memory_mib']} MiB beside PostgreSQL, "
        f"clock x{totals['speed']}, {totals['restarts']} restarts"
    )


def _taps(totals: Totals) -> Table:
    table = new_table("Taps", "decision", "reason", "taps:")
    taps = totals["taps"]
    for decision in ("accepted", "already_answered"):
        if decision in taps:
            table.add_row(decision, "", str(taps[decision]))
    for reason, number in totals["refusals"].items():
        table.add_row("refused", reason, str(number))
    return table


def _journeys(totals: Totals) -> Table:
    table = new_table("Journeys", "network", "state", "journeys:", "fares:")
    for row in totals["journeys"]:
        fares = amount_text(row["fare_minor"], row["currency"])
        table.add_row(row["network"], row["state"], str(row["journeys"]), fares)
    return table


def _charges(totals: Totals) -> Table:
    table = new_table("Charges", "wallet", "state", "charges:", "amount:")
    for row in totals["charges"]:
        amount = amount_text(row["amount_minor"], row["currency"])
        table.add_row(row["wallet"], row["state"], str(row["charges"]), amount)
    return table


def _fx(totals: Totals) -> Table:
    table = new_table("FX", "corridor", "quotes:", "fares:", "charged:", "spread:", "mid")
    for row in totals["fx"]["quotes"]:
        fare, charge = row["fare_currency"], row["charge_currency"]
        table.add_row(
            f"{fare} -> {charge}",
            str(row["quotes"]),
            amount_text(row["fare_minor"], fare),
            amount_text(row["charge_minor"], charge),
            amount_text(row["spread_minor"], charge),
            f"{row['lowest_mid']} - {row['highest_mid']}",
        )
    for row in totals["fx"]["wallet_quotes"]:
        table.add_row(f"{row['wallet']} converts", str(row["quotes"]), "", "", "", "its own quotes")
    return table


def _net(totals: Totals) -> Table:
    table = new_table("Net positions (+ the house pays)", "participant", "amount:")
    for row in totals["settlement"]["net"]:
        table.add_row(row["participant"], amount_text(row["amount_minor"], row["currency"]))
    return table


def _breaks(totals: Totals) -> Table:
    table = new_table("Breaks", "wallet", "kind", "planted:", "found:")
    reconciliation = totals["reconciliation"]
    for wallet, planted in reconciliation["planted"].items():
        found = reconciliation["found"][wallet]
        for kind in sorted({*planted, *found}):
            table.add_row(wallet, kind, str(planted.get(kind, 0)), str(found.get(kind, 0)))
        if not planted and not found:
            table.add_row(wallet, "none", "0", "0")
    return table


def new_table(title: str, *columns: str) -> Table:
    """A table; a column whose name ends with a colon is right-aligned."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column.rstrip(":"), justify="right" if column.endswith(":") else "left")
    return table


def amount_text(minor: int, currency: str) -> str:
    """An amount of a currency with two decimals, such as ``CNY 1,234.50``."""
    return f"{currency} {Decimal(minor).scaleb(-2):,.2f}"
