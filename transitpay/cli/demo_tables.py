"""The tables that the demo ends with, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from transitpay.cli.tables import Totals, amount_text, charges, new_table, quotes, show_end


def show(totals: Totals, console: Console) -> None:
    """All tables, in the order in which a tap becomes settled money."""
    for table in (
        _taps(totals),
        _gates(totals),
        _networks(totals),
        _corrections(totals),
        charges(totals),
        _fx(totals),
        _net(totals),
        _breaks(totals),
    ):
        console.print(table)
    show_end(totals, console)


def _taps(totals: Totals) -> Table:
    table = new_table("Taps", "decision", "reason", "taps:")
    taps = totals["taps"]
    for decision in ("accepted", "already_answered"):
        if decision in taps:
            table.add_row(decision, "", str(taps[decision]))
    for reason, number in totals["refusals"].items():
        table.add_row("refused", reason, str(number))
    return table


def _gates(totals: Totals) -> Table:
    """Who decided, what came late, which lists were taken, and what we differ about."""
    table = new_table("Gates", "what", "", "scans:")
    gates = totals["gates"]
    scans = sum(gates["decided_by"].values())
    for who, number in gates["decided_by"].items():
        name = "the gateway" if who == "gateway" else "the reader alone"
        table.add_row("decided by", f"{name}, {100 * number // scans} %", str(number))
    longest = f"longest {gates['longest_delivery_minutes']} min"
    table.add_row("delivered late", longest, str(gates["delivered_late"]))
    for row in gates["differences"]:
        table.add_row(row["difference"], f"liable: {row['liable']}", str(row["scans"]))
    for taken, number in gates["lists_taken"].items():
        table.add_row("list taken", taken, f"{number} x")
    return table


def _networks(totals: Totals) -> Table:
    """What stands of each network after all corrections, and how many bookings they replaced."""
    counted = ("journeys", "incomplete", "filled", "corrected")
    table = new_table("Networks", "network", *(f"{it}:" for it in counted), "fares:")
    for row in totals["networks"]:
        fares = amount_text(row["fare_minor"], row["currency"])
        table.add_row(row["network"], *(str(row[it]) for it in counted), fares)
    return table


def _corrections(totals: Totals) -> Table:
    """What was booked anew and why, what people said, and what went back to riders."""
    table = new_table("Corrections", "what", "", "number:", "amount:")
    for why, journeys in totals["corrections"].items():
        table.add_row("journeys booked anew", why, str(journeys), "")
    for what, number in totals["said"].items():
        table.add_row("said", what, str(number), "")
    for row in totals["refunds"]:
        amount = amount_text(row["amount_minor"], row["currency"])
        table.add_row(f"refunds {row['state']}", row["wallet"], str(row["refunds"]), amount)
    expected = totals["expected_rides"]
    table.add_row("rides as everything tapped makes them", "", str(expected["rides"]), "")
    table.add_row("rides that are not", "", str(expected["differing"]), "")
    return table


def _fx(totals: Totals) -> Table:
    table = quotes(totals)
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
