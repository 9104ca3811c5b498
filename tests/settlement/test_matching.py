"""Our window against a wallet's file: text tables in, breaks out, the same digest in any order."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from settlement.reconciling import matching
from settlement.reconciling.match_run import Tables, open_engine, run, unmatched_ids, write_parquet
from settlement.reconciling.matching import Result

ENGINE = open_engine()
INTERNAL = [column.split()[0] for column in matching.INTERNAL.split(", ")]
EXTERNAL = [column.split()[0] for column in matching.EXTERNAL.split(", ")]


@dataclass
class Books:
    """Both sides of a run, made from text lines: ``ours|file <kind> <id> <amount> <fee> [k=v]``."""

    ours: list[dict[str, object]] = field(default_factory=list)
    file: list[dict[str, object]] = field(default_factory=list)
    settled: list[dict[str, object]] | None = None
    known: list[tuple[str, str, str]] = field(default_factory=list)


def books(text: str) -> Books:
    made = Books()
    for line in filter(None, (line.strip() for line in text.splitlines())):
        side, kind, request_id, *rest = line.split()
        if side == "known":
            made.known.append((kind, request_id, rest[0]))
            continue
        amount, fee = int(rest[0]), int(rest[1])
        row: dict[str, object] = {
            "row_kind": kind,
            "request_id": request_id,
            "amount": amount,
            "fee": fee,
            "currency": "CNY",
            "other": None,
            "day": 20261030,
            "edge": 0,
            "carried": 0,
        }
        if side == "ours":
            row["cancelled"] = 0
        else:
            row |= {"original_id": "", "wallet_id": f"W-{request_id}", "success": 1}
            row |= {"settlement": amount - fee, "batch": "b1", "rate": None, "completed": 0}
        for extra in rest[2:]:
            name, _, value = extra.partition("=")
            row[name] = int(value) if value.lstrip("-").isdigit() else value
        if side == "batch":
            made.settled = (made.settled or []) + [row]
        else:
            (made.ours if side == "ours" else made.file).append(row)
    return made


def matched(text: str | Books, folder: Path) -> Result:
    made = books(text) if isinstance(text, str) else text
    internal, external = folder / "internal.parquet", folder / "external.parquet"
    known, settled = folder / "known.parquet", folder / "settled.parquet"
    write_parquet(
        ENGINE, ([r[n] for n in INTERNAL] for r in made.ours), matching.INTERNAL, internal
    )
    write_parquet(
        ENGINE, ([r[n] for n in EXTERNAL] for r in made.file), matching.EXTERNAL, external
    )
    write_parquet(ENGINE, made.known, matching.KNOWN, known)
    if made.settled is None:
        return run(ENGINE, Tables((internal,), (external,), (known,)))
    write_parquet(
        ENGINE, ([r[n] for n in EXTERNAL] for r in made.settled), matching.EXTERNAL, settled
    )
    return run(ENGINE, Tables((internal,), (external,), (known,), (settled,), "b1"))


CLEAN = """
    ours payment c1-1  4791 29
    ours payment c2-1   250  2
    ours refund  c2-r1 -250  0
    file payment c1-1  4791 29
    file payment c2-1   250  2
    file refund  c2-r1 -250  0
"""

SCENARIOS = {
    "nothing differs": ("", []),
    "a row twice": ("file payment c1-1 4791 29", ["duplicate_external OPEN c1-1"]),
    "a row three times": (
        "file payment c1-1 4791 29\nfile payment c1-1 4791 29",
        ["duplicate_external OPEN c1-1"] * 2,
    ),
    "the same id with another amount": ("file payment c1-1 1 0", ["ambiguous OPEN c1-1"]),
    "two items of ours with one id": (
        "ours payment c1-1 4791 29",
        ["duplicate_internal OPEN c1-1"],
    ),
    "an id that was never ours": ("file payment x-1 100 1", ["missing_internal OPEN x-1"]),
    "an id never ours, near midnight": (
        "file payment x-1 100 1 edge=1",
        ["missing_internal OPEN x-1"],
    ),
    "an item without a row": ("ours payment c3-1 100 1", ["missing_external OPEN c3-1"]),
    "an item without a row near midnight": (
        "ours payment c3-1 100 1 edge=1",
        ["timing CARRIED c3-1"],
    ),
    "an item that was carried too long": (
        "ours payment c3-1 100 1 edge=1 carried=3",
        ["missing_external OPEN c3-1"],
    ),
    "an item that was carried twice": (
        "ours payment c3-1 100 1 edge=1 carried=2",
        ["timing CARRIED c3-1"],
    ),
    "another amount, its fee computed from it": (
        "ours payment c3-1 1000 6\nfile payment c3-1 2000 12",
        ["amount_mismatch OPEN c3-1"],
    ),
    "another amount and currency": (
        "ours payment c3-1 1000 6\nfile payment c3-1 2000 12 currency=HKD",
        ["currency_mismatch OPEN c3-1"],
    ),
    "another fee": (
        "ours payment c3-1 1000 6\nfile payment c3-1 1000 7",
        ["fee_mismatch OPEN c3-1"],
    ),
    "settlement two units off its derivation": (
        "ours payment c3-1 1000 6\nfile payment c3-1 1000 6 settlement=992",
        [],
    ),
    "settlement three units off": (
        "ours payment c3-1 1000 6\nfile payment c3-1 1000 6 settlement=991",
        ["fee_mismatch OPEN c3-1"],
    ),
    "the rider's debit two units off the quote": (
        "ours payment c3-1 1000 6 other=850\nfile payment c3-1 1000 6 other=848",
        [],
    ),
    "the rider's debit three units off the quote": (
        "ours payment c3-1 1000 6 other=850\nfile payment c3-1 1000 6 other=847",
        ["fx_mismatch OPEN c3-1"],
    ),
    "no quote was stored": ("ours payment c3-1 1000 6\nfile payment c3-1 1000 6 other=1", []),
    "the wallet says failed": (
        "ours payment c3-1 1000 6\nfile payment c3-1 1000 6 success=0",
        ["status_mismatch OPEN c3-1"],
    ),
    "failed on both sides": (
        "file payment c3-1 1000 0 success=0\nknown payment c3-1 refused",
        [],
    ),
    "failed, captured in another window": (
        "file payment c3-1 1000 0 success=0\nknown payment c3-1 later",
        ["status_mismatch OPEN c3-1"],
    ),
    "we say failed, the wallet says success": (
        "file payment c3-1 1000 6\nknown payment c3-1 refused",
        ["status_mismatch OPEN c3-1"],
    ),
    "still unknown: the row is evidence and waits for our booking": (
        "file payment c3-1 1000 6\nknown payment c3-1 unknown",
        ["timing CARRIED c3-1"],
    ),
    "unknown for too long": (
        "file payment c3-1 1000 6 carried=3\nknown payment c3-1 unknown",
        ["status_mismatch OPEN c3-1"],
    ),
    "captured in a later window": (
        "file payment c3-1 1000 6\nknown payment c3-1 later",
        ["timing CARRIED c3-1"],
    ),
    "in an earlier file already": (
        "file payment c3-1 1000 6\nknown payment c3-1 earlier",
        ["duplicate_external OPEN c3-1"],
    ),
    "missing in an earlier file, here now": (
        "file payment c3-1 1000 6\nknown payment c3-1 late",
        ["timing AUTO_RESOLVED c3-1"],
    ),
    "carried, and here now": (
        "ours payment c3-1 1000 6 carried=1 edge=1\nfile payment c3-1 1000 6",
        [],
    ),
    "a payment and its cancellation, neither booked by us": (
        "file payment c3-1 1000 6\nfile cancel c3-1 -1000 -6\n"
        "known payment c3-1 cancelled\nknown cancel c3-1 cancelled",
        [],
    ),
    "a cancelled payment whose cancellation is not listed": (
        "file payment c3-1 1000 6\nknown payment c3-1 cancelled",
        ["status_mismatch OPEN c3-1"],
    ),
    "a cancelled payment near midnight": (
        "file payment c3-1 1000 6 edge=1\nknown payment c3-1 cancelled",
        ["timing CARRIED c3-1"],
    ),
    "booked payment and cancellation with their rows": (
        "ours payment c3-1 1000 6\nours cancel c3-1 -1000 -6\n"
        "file payment c3-1 1000 6\nfile cancel c3-1 -1000 -6",
        [],
    ),
    "the layout lists no cancelled payment": ("ours payment c3-1 1000 6 cancelled=1", []),
    "the layout lists none and yet here it is": (
        "ours payment c3-1 1000 6 cancelled=1\nfile payment c3-1 1000 6",
        ["status_mismatch OPEN c3-1"],
    ),
    "fifty riders, one minute, one amount": (
        "\n".join(f"ours payment r{n}-1 500 3\nfile payment r{n}-1 500 3" for n in range(50)),
        [],
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_difference_gives_exactly_its_own_breaks(name: str, tmp_path: Path) -> None:
    text, expected = SCENARIOS[name]
    result = matched(CLEAN + text, tmp_path)
    found = sorted(f"{b.kind} {b.state} {b.request_id}" for b in result.breaks)
    assert found == sorted(expected)


def test_every_kind_that_a_row_can_have_stands_in_a_scenario() -> None:
    seen = {line.split()[0] for _, lines in SCENARIOS.values() for line in lines}
    others = {"batch_total_mismatch", "unparseable_row"}
    assert seen | others == {kind.value for kind in matching.BreakKind}


def test_order_and_engine_files_do_not_change_the_digest(tmp_path: Path) -> None:
    text = CLEAN + "\n".join(text for text, _ in SCENARIOS.values() if "c3-1" in text)[:2000]
    text = text[: text.rindex("\n")]
    seen = set()
    for seed in range(4):
        made = books(text)
        random.Random(seed).shuffle(made.ours)
        random.Random(seed + 9).shuffle(made.file)
        made.known = sorted(set(made.known))[:1]
        folder = tmp_path / str(seed)
        folder.mkdir()
        seen.add(matched(made, folder).digest())
    assert len(seen) == 1


def test_one_unit_more_changes_the_digest(tmp_path: Path) -> None:
    first = matched(CLEAN, tmp_path).digest()
    other = matched(CLEAN.replace("250", "251"), tmp_path).digest()
    assert first != other


BATCH = """
    batch payment c1-1  4791 29
    batch payment c2-1   250  2
    batch refund  c2-r1 -250  0
"""


def test_batches_that_hold_every_row_are_right_also_with_a_duplicate(tmp_path: Path) -> None:
    assert matched(CLEAN + BATCH, tmp_path).breaks == ()
    twice = "file payment c1-1 4791 29\nbatch payment c1-1 4791 29"
    kinds = [b.kind.value for b in matched(CLEAN + BATCH + twice, tmp_path).breaks]
    assert kinds == ["duplicate_external"]


def test_a_batch_that_leaves_out_a_row_is_one_break_with_both_sums(tmp_path: Path) -> None:
    less = BATCH.replace("batch payment c2-1   250  2", "")
    (found,) = matched(CLEAN + less, tmp_path).breaks
    assert found.kind == "batch_total_mismatch"
    assert (found.internal_minor, found.external_minor) == (4760, 4512)


def test_a_failed_row_is_in_no_batch_and_one_break(tmp_path: Path) -> None:
    failed = CLEAN.replace("file payment c2-1   250  2", "file payment c2-1 250 0 success=0")
    less = BATCH.replace("batch payment c2-1   250  2", "")
    assert [b.kind.value for b in matched(failed + less, tmp_path).breaks] == ["status_mismatch"]


def test_ids_without_an_item_are_listed_for_the_books(tmp_path: Path) -> None:
    matched(CLEAN + "file payment x-1 100 1\nfile payment x-1 100 1", tmp_path)
    found = unmatched_ids(ENGINE, tmp_path / "internal.parquet", [tmp_path / "external.parquet"])
    assert list(found) == [("payment", "x-1")]


def test_carried_items_that_matched_are_named(tmp_path: Path) -> None:
    result = matched(
        CLEAN.replace("ours payment c1-1  4791 29", "ours payment c1-1 4791 29 carried=1"), tmp_path
    )
    assert result.resolved == ("c1-1",)


def test_text_with_quotes_newlines_and_nulls_survives_the_way_into_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = [("payment", 'a"b,c\nd', None), ("", "深圳", "x")]
    assert write_parquet(ENGINE, rows, matching.KNOWN, path) == 2
    import duckdb

    read = duckdb.execute(f"select * from read_parquet('{path}')").fetchall()
    assert sorted(read, key=str) == sorted(rows, key=str)
