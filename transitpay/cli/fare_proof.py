"""``transitpay fare-proof``: the pricing beside what real cards paid."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from transitpay.cli.szt_options import data_folder, data_option, szt_option
from transitpay.cli.tables import amount_text, new_progress, new_table
from transitpay.runtime.tariff_folder import load_book
from transitpay.sandbox.business_rides import business_fares
from transitpay.sandbox.fare_pairs import NETWORK, Pairs, compare_pairs
from transitpay.sandbox.fare_proof import (
    INFERRED,
    Judged,
    Verdict,
    charged_rows,
    counts,
    judge_rows,
)
from transitpay.sandbox.szt_folder import read_folder
from transitpay.sandbox.szt_taps import TapKind, TapRows

#: What the pricing owes to the published rows.
_LEAST_PAIRS = 614
_KINDS = (TapKind.BUS, TapKind.EXIT)
_WORDS = {
    Verdict.ADULT: "follow as adult fares from value, mark and mode",
    Verdict.UNMARKED_TRANSFER: "inferred: transfer discount with the mark at 0",
    Verdict.FREE: "inferred: free (concession card or cleared at the same station)",
    Verdict.HALF: "inferred: half (student's card)",
    Verdict.BUSINESS_CAR: "inferred: undiscounted, a fare of the business car",
    Verdict.UNDISCOUNTED: "inferred: undiscounted",
    Verdict.UNEXPLAINED: "unexplained",
}
_PLACES_SHOWN = 3


@click.command("fare-proof")
@szt_option
@data_option
@click.option(
    "--pairs", "least_pairs", type=click.IntRange(min=0), default=_LEAST_PAIRS, show_default=True,
    help="So many entry-exit pairs must equal the fare table.",
)  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="Name every row that is only inferred.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every row.")
@click.pass_context
def fare_proof(
    ctx: click.Context, szt: Path, data: Path | None, least_pairs: int, listed: bool, as_json: bool
) -> None:
    """Price real card taps and compare with what was paid.

    Undiscounted value, transfer mark and mode go into the pricing; what was paid is only compared.
    Card numbers are hashed with a key that is forgotten. Exit code 0: every charged row is
    explained, and enough entry-exit pairs equal the fare table. 1: not so.
    """
    began_s = time.monotonic()
    data = data_folder(szt, data)
    with new_progress(Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=None)
        rows = read_folder(szt, lambda name: bar.update(task, description=f"reading {name}"))
        book = load_book(data, networks=[NETWORK])
        charged = charged_rows(rows)
        bar.update(task, total=len(charged), description="rows priced")
        judged = judge_rows(
            charged, business_fares(book.latest(NETWORK)), lambda n: bar.update(task, completed=n)
        )
        bar.update(task, total=None, completed=0, description="cards assembled")
        pairs = compare_pairs(rows, book, lambda n: bar.update(task, completed=n))
    unexplained = sum(it.verdict is Verdict.UNEXPLAINED for it in judged)
    held = bool(judged) and not unexplained and pairs.equal >= least_pairs
    seconds = round(time.monotonic() - began_s, 1)
    if as_json:
        told = _totals(rows, judged, pairs) | {"held": held, "seconds": seconds}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        _show(Console(), rows, judged, pairs, listed)
        click.echo(f"{'held' if held else 'NOT HELD'}, {seconds} s")
    ctx.exit(0 if held else 1)


def _totals(rows: TapRows, judged: Sequence[Judged], pairs: Pairs) -> dict[str, Any]:
    """The JSON object: numbers, and every row that does not follow."""
    number = counts(judged)
    return {
        "rows": {"read": rows.rows, "charged": len(judged), "entries": rows.kinds[TapKind.ENTRY],
                 "unreadable": rows.rows - sum(rows.kinds.values())},
        "verdicts": {str(it): _of_kinds(number, it) for it in Verdict},
        "inferred": {
            str(it): [_row(found) for found in judged if found.verdict is it] for it in INFERRED
        },
        "unexplained": [_row(it) for it in judged if it.verdict is Verdict.UNEXPLAINED],
        "pairs": {
            "all": pairs.pairs, "over_limit": pairs.over_limit, "unreadable": pairs.unreadable,
            "left_free": pairs.left_free, "left_free_soon": pairs.left_free_soon,
            "comparable": pairs.comparable, "equal": pairs.equal,
            "differing": [
                {"row": it.where, "from": it.entry, "to": it.exit, "fare_minor": it.fare_minor,
                 "value_minor": it.value_minor}
                for it in pairs.differing
            ],
        },
    }  # fmt: skip


def _of_kinds(number: Mapping[tuple[TapKind, Verdict], int], verdict: Verdict) -> dict[str, int]:
    each = {str(kind): number.get((kind, verdict), 0) for kind in _KINDS}
    return each | {"all": sum(each.values())}


def _row(it: Judged) -> dict[str, Any]:
    return {
        "row": it.row.where, "kind": str(it.row.kind), "value_minor": it.row.full_fare_minor,
        "paid_minor": it.row.paid_minor, "adult_minor": it.fare_minor,
    }  # fmt: skip


def _show(
    console: Console, rows: TapRows, judged: Sequence[Judged], pairs: Pairs, listed: bool
) -> None:
    table = new_table(f"{rows.rows} rows, {len(judged)} charged", "what", "bus:", "metro:", "all:")
    number = counts(judged)
    for verdict, words in _WORDS.items():
        table.add_row(words, *(str(n) for n in _of_kinds(number, verdict).values()))
    console.print(table)
    console.print(_pairs_table(pairs))
    for verdict in (*INFERRED, Verdict.UNEXPLAINED):
        found = [it for it in judged if it.verdict is verdict]
        shown = found if listed or verdict is Verdict.UNEXPLAINED else found[:_PLACES_SHOWN]
        for it in shown:
            value, paid, fare = (
                amount_text(minor, "CNY")
                for minor in (it.row.full_fare_minor, it.row.paid_minor, it.fare_minor)
            )
            console.print(
                f"{verdict}: {it.row.where}: {it.row.kind} of {value} paid {paid}, adults {fare}",
                highlight=False,
                soft_wrap=True,
            )
        if len(found) > len(shown):
            console.print(f"{verdict}: {len(found) - len(shown)} more, see --list", style="dim")


def _pairs_table(pairs: Pairs) -> Any:  # a rich table
    table = new_table("Entry and exit of one card", "what", "pairs:")
    table.add_row("all", str(pairs.pairs))
    table.add_row("of one station, left free", str(pairs.left_free))
    table.add_row("  within 20 minutes", str(pairs.left_free_soon))
    table.add_row("over the time limit: halves of two rides", str(pairs.over_limit))
    for code, many in pairs.unreadable.items():
        table.add_row(f"not in the fare table ({code})", str(many))
    table.add_row("comparable", str(pairs.comparable))
    table.add_row("  equal to the fare table", str(pairs.equal))
    for it in pairs.differing:
        fare, value = amount_text(it.fare_minor, "CNY"), amount_text(it.value_minor, "CNY")
        table.add_row(f"  {it.entry} to {it.exit}: {fare}, row {value} ({it.where})", "")
    return table
