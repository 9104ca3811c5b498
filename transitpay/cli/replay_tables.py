"""The tables that a replay ends with, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from transitpay.cli.tables import Totals, amount_text, charges, new_table, quotes, show_end


def show(totals: Totals, console: Console) -> None:
    """All tables, in the order in which a row becomes settled money."""
    for table in (
        _rows(totals),
        _taps(totals),
        _journeys(totals),
        _fares(totals),
        charges(totals),
        _fx(totals),
    ):
        console.print(table)
    console.print(
        f"Days are shifted by {totals['shifted_days']} days (whole weeks): "
        f"{totals['first_tap_at']} to {totals['last_tap_at']}",
        highlight=False,
    )
    show_end(totals, console)


def _rows(totals: Totals) -> Table:
    table = new_table("Rows", "what", "rows:")
    rows = totals["rows"]
    table.add_row("read", str(rows["read"]))
    for kind, number in rows["kinds"].items():
        table.add_row(f"  {kind}", str(number))
    for drop, number in rows["dropped"].items():
        table.add_row(f"dropped: {drop}", str(number))
    for station, number in rows["unmapped"].items():
        table.add_row(f"not in the fare table: {station}", str(number))
    if rows["left_out_by_limit"]:
        table.add_row("left out by --limit", str(rows["left_out_by_limit"]))
    table.add_row(f"replayed ({totals['cards']} cards)", str(rows["replayed"]))
    return table


def _taps(totals: Totals) -> Table:
    table = new_table("Taps", "what", "taps:")
    taps = totals["taps"]
    table.add_row(f"acknowledged ({totals['readers']} readers)", str(taps["sent"]))
    for decision, number in taps["decisions"].items():
        table.add_row(f"  {decision}", str(number))
    for reason, number in taps["refusals"].items():
        table.add_row(f"  refused: {reason}", str(number))
    table.add_row("in one journey or set aside", str(taps["booked_or_set_aside"]))
    for reason, number in totals["set_aside"].items():
        table.add_row(f"  set aside: {reason}", str(number))
    table.add_row("pending", str(taps["pending"]))
    return table


def _journeys(totals: Totals) -> Table:
    table = new_table("Journeys", "network", "state", "reason", "journeys:", "fares:")
    for row in totals["journeys"]:
        fares = amount_text(row["fare_minor"], row["currency"])
        table.add_row(row["network"], row["state"], row["reason"], str(row["journeys"]), fares)
    return table


def _fares(totals: Totals) -> Table:
    table = new_table("Fares beside the rows", "what", "journeys:")
    pairs = totals["pairs"]
    table.add_row("metro pairs that can be compared", str(pairs["comparable"]))
    table.add_row("  equal to the full fare of the exit's row", str(pairs["equal"]))
    for it in pairs["differing"]:
        fare, row = (amount_text(it[name], "CNY") for name in ("fare_minor", "row_minor"))
        table.add_row(f"  {it['from']} to {it['to']}: {fare}, row {row}", "")
    table.add_row("metro pairs over the time limit", str(pairs["overstays"]))
    expected = totals["expected_rides"]
    table.add_row("rides as everything sent makes them", str(expected["rides"]))
    table.add_row("rides that are not", str(expected["differing"]))
    return table


def _fx(totals: Totals) -> Table:
    table = quotes(totals)
    for row in totals["fx"]["rates"]:
        if row["gaps"]:
            table.add_row(f"{row['base']} -> {row['quote']} gaps", str(row["gaps"]), *[""] * 4)
    return table
