"""Runs the matching text over Parquet with DuckDB, in bounded memory, and proves uniqueness.

The engine is a parameter of nothing: any engine that reads the same four tables may take its
place and must give the same digest (``matching.Result.digest``).
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from settlement import matching
from settlement.matching import PRECEDENCE, Break, Result

#: Engine rows have columns of many types: Any is what DuckDB gives.
Record = dict[str, Any]
_MEMORY = "512MB"
_SUMS = """
select rule, row_kind, coalesce(i_currency, e_currency) as currency, count(*) as items,
    count(distinct case when both_sides = 1 then request_id end) as ids,
    cast(sum(i_amount) as decimal(38,0)) as internal,
    cast(sum(e_amount) as decimal(38,0)) as external
from judged group by rule, row_kind, coalesce(i_currency, e_currency)
order by rule nulls last, row_kind nulls last, currency nulls last
"""


@dataclass(frozen=True, slots=True)
class Tables:
    """Parquet files of one run. ``settled`` is None where the layout has one file for both."""

    internal: Path
    external: Path
    known: Path
    settled: Path | None = None
    batches: str = ""


def write_parquet(rows: Iterable[Iterable[object]], columns: str, path: Path) -> int:
    """Write rows of exactly these columns ("name type, ..."); None is null. Returns their number.

    The rows go through a text file, so that no number of them fills the memory.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        text = Path(folder) / "rows.csv"
        with text.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for row in rows:
                writer.writerow(["\x01" if value is None else value for value in row])
                count += 1
        done = Path(folder) / "rows.parquet"
        with _engine() as engine:
            engine.execute(f"create table made ({columns})")
            if count:
                engine.execute(
                    "insert into made select * from read_csv(?, header=false, all_varchar=true,"
                    " nullstr='\x01', allow_quoted_nulls=true, quote='\"', escape='\"',"
                    " delim=',', auto_detect=false, columns=" + _text_columns(columns) + ")",
                    [str(text)],
                )
            engine.execute(f"copy made to '{_quoted(done)}' (format parquet)")
        done.replace(path)
    return count


def unmatched_ids(internal: Path, external: Path) -> Iterator[tuple[str, str]]:
    """(row kind, request id) of external rows that have no internal item."""
    with _engine() as engine:
        _view(engine, "internal", internal)
        _view(engine, "external", external)
        rows = engine.execute(
            "select distinct e.row_kind, e.request_id from external e left join internal i"
            " on i.row_kind = e.row_kind and i.request_id = e.request_id"
            " where i.request_id is null order by e.row_kind, e.request_id"
        )
        while chunk := rows.fetchmany(10_000):
            yield from chunk


def run(tables: Tables) -> Result:
    """All breaks of a run with its counts and sums."""
    with _engine() as engine:
        _view(engine, "internal", tables.internal)
        _view(engine, "external", tables.external)
        _view(engine, "known", tables.known)
        engine.execute("create table judged as " + matching.PAIRS)
        breaks = [matching.broken_pair(row) for row in _pairs_with_breaks(engine)]
        breaks += [matching.extra_copy(row) for row in _records(engine, matching.EXTRAS)]
        if tables.settled is not None:
            _view(engine, "settled", tables.settled)
            totals = _records(engine, matching.TOTALS)
            breaks += matching.unequal_totals(totals, tables.batches)
        counts = _counts(engine, breaks)
        resolved = _records(
            engine,
            "select distinct request_id from judged where both_sides = 1"
            " and (i_carried > 0 or e_carried > 0) order by request_id",
        )
        return Result(tuple(breaks), counts, tuple(str(r["request_id"]) for r in resolved))


def _pairs_with_breaks(engine: Any) -> list[Record]:  # a DuckDB connection
    explained = [n for n, rule in enumerate(PRECEDENCE) if rule[1] is None]
    listed = ", ".join(map(str, explained))
    return _records(engine, f"select * from judged where rule not in ({listed})")


def _counts(engine: Any, breaks: list[Break]) -> dict[str, object]:  # a DuckDB connection
    """Items and sums by outcome; each matched id stands for one item on either side."""
    outcomes: list[dict[str, object]] = []
    for row in _records(engine, _SUMS):
        condition, kind, _, why = PRECEDENCE[row["rule"]]
        if condition.startswith("both_sides"):
            assert row["items"] == row["ids"], "an item was matched twice"
        outcomes.append(
            {
                "outcome": str(kind) if kind else why,
                "row_kind": row["row_kind"],
                "currency": row["currency"],
                "items": row["items"],
                "internal": str(row["internal"] or 0),
                "external": str(row["external"] or 0),
            }
        )
    kinds: dict[str, int] = {}
    for found in breaks:
        kinds[found.kind] = kinds.get(found.kind, 0) + 1
    matched = sum(int(str(o["items"])) for o in outcomes if o["outcome"] == "matched")
    return {"matched": matched, "breaks": dict(sorted(kinds.items())), "outcomes": outcomes}


def _records(engine: Any, text: str) -> list[Record]:  # a DuckDB connection
    done = engine.execute(text)
    names = [column[0] for column in done.description]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _view(engine: Any, name: str, path: Path) -> None:  # a DuckDB connection
    engine.execute(f"create view {name} as select * from read_parquet('{_quoted(path)}')")


def _engine() -> Any:  # a DuckDB connection
    return duckdb.connect(":memory:", config={"memory_limit": _MEMORY, "threads": 2})


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _text_columns(columns: str) -> str:
    names = [column.split()[0] for column in columns.split(", ")]
    return "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in names) + "}"
