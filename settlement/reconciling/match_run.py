"""Runs the matching text over Parquet with DuckDB, in bounded memory, and proves uniqueness.

The engine is a parameter of nothing: any engine that reads the same four tables may take its
place and must give the same digest (``matching.Result.digest``).
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from settlement.reconciling import matching
from settlement.reconciling.matching import PRECEDENCE, Break, Result

# DuckDB has no type information, and its rows have columns of many types: Any is what it gives.
Engine = Any
Record = dict[str, Any]
_MEMORY = "512MB"
_NULL = "\x01"
_LOAD = (
    "insert into made select * from read_csv(?, header=false, all_varchar=true,"
    f" nullstr='{_NULL}', allow_quoted_nulls=true, quote='\"', escape='\"',"
    " delim=',', auto_detect=false, columns="
)
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

    internal: tuple[Path, ...]
    external: tuple[Path, ...]
    known: tuple[Path, ...]
    settled: tuple[Path, ...] | None = None
    batches: str = ""


@dataclass(frozen=True, slots=True)
class BatchTotal:
    """The successful rows of one batch and currency in sum, minor units."""

    batch: str
    currency: str
    fee: int
    settlement: int


@dataclass(frozen=True, slots=True)
class FilePayment:
    """A payment, or a refund, that a file holds and our books do not have as made."""

    request_id: str
    wallet_id: str
    amount: int
    currency: str
    completed: int


class ParquetRows:
    """Takes rows of exactly these columns ("name type, ...") and leaves a Parquet file; None is
    null. They go through a text file, so that no number of them fills the memory.
    """

    def __init__(self, engine: Engine, columns: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine, self._columns, self._path = engine, columns, path
        self._folder = tempfile.TemporaryDirectory(dir=path.parent)
        self._text = Path(self._folder.name) / "rows.csv"
        self._out = self._text.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        self.rows = 0

    def __enter__(self) -> ParquetRows:
        return self

    def add(self, row: Iterable[object]) -> None:
        """Add one row."""
        self._writer.writerow([_NULL if value is None else value for value in row])
        self.rows += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()
        if kind is None:
            self._convert()
        self._folder.cleanup()

    def _convert(self) -> None:
        done = Path(self._folder.name) / "rows.parquet"
        self._engine.execute(f"create or replace temp table made ({self._columns})")
        if self.rows:
            load = _LOAD + _text_columns(self._columns) + ")"
            self._engine.execute(load, [str(self._text)])
        self._engine.execute(f"copy made to '{_quoted(done)}' (format parquet)")
        self._engine.execute("drop table made")
        done.replace(self._path)


def open_engine() -> Engine:
    """An engine with nothing in it; close it with ``close()``. One serves a whole night."""
    return duckdb.connect(":memory:", config={"memory_limit": _MEMORY, "threads": 2})


def write_parquet(
    engine: Engine, rows: Iterable[Iterable[object]], columns: str, path: Path
) -> int:
    """Write rows that are at hand; returns their number."""
    with ParquetRows(engine, columns, path) as made:
        for row in rows:
            made.add(row)
    return made.rows


def unmatched_ids(
    engine: Engine, internal: Path, external: Sequence[Path]
) -> Iterator[tuple[str, str]]:
    """(row kind, request id) of external rows that have no internal item."""
    _view(engine, "internal", (internal,))
    _view(engine, "external", external)
    rows = engine.execute(
        "select distinct e.row_kind, e.request_id from external e left join internal i"
        " on i.row_kind = e.row_kind and i.request_id = e.request_id"
        " where i.request_id is null order by e.row_kind, e.request_id"
    )
    while chunk := rows.fetchmany(10_000):
        yield from chunk


def run(engine: Engine, tables: Tables) -> Result:
    """All breaks of a run with its counts and sums."""
    _view(engine, "internal", tables.internal)
    _view(engine, "external", tables.external)
    _view(engine, "known", tables.known)
    engine.execute("create or replace temp table judged as " + matching.PAIRS)
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


def batch_totals(engine: Engine, settled: Sequence[Path]) -> list[BatchTotal]:
    """What each batch takes as fees and pays, over the rows as they were served."""
    _view(engine, "settled", settled)
    rows = _records(
        engine,
        "select batch, currency, cast(sum(fee) as decimal(38,0)) as fee,"
        " cast(sum(settlement) as decimal(38,0)) as settlement"
        " from settled where success = 1 group by batch, currency order by batch, currency",
    )
    return [
        BatchTotal(r["batch"], r["currency"], int(r["fee"]), int(r["settlement"])) for r in rows
    ]


def payments_in(engine: Engine, tables: Tables) -> list[FilePayment]:
    """Payments of the files, without a cancellation beside them, that our books doubt."""
    _view(engine, "external", tables.external)
    _view(engine, "known", tables.known)
    rows = _records(
        engine,
        "select e.request_id, min(e.wallet_id) as wallet_id, min(e.amount) as amount,"
        " min(e.currency) as currency, min(e.completed) as completed from external e"
        " join known k on k.row_kind = e.row_kind and k.request_id = e.request_id"
        " left join external c on c.row_kind = 'cancel' and c.request_id = e.request_id"
        " where e.row_kind = 'payment' and e.success = 1 and e.carried = 0"
        " and k.standing in ('unknown', 'refused') and c.request_id is null"
        " group by e.request_id order by e.request_id",
    )
    return [FilePayment(**row) for row in rows]


def refunds_in(engine: Engine, tables: Tables) -> list[FilePayment]:
    """Refunds of the files that are in doubt in our books, of an id that a file has once."""
    _view(engine, "external", tables.external)
    _view(engine, "known", tables.known)
    rows = _records(
        engine,
        "select e.request_id, min(e.wallet_id) as wallet_id, min(abs(e.amount)) as amount,"
        " min(e.currency) as currency, min(e.completed) as completed from external e"
        " join known k on k.row_kind = e.row_kind and k.request_id = e.request_id"
        " where e.row_kind = 'refund' and e.success = 1 and e.carried = 0"
        " and k.standing = 'unknown'"
        " group by e.request_id having count(*) = 1 order by e.request_id",
    )
    return [FilePayment(**row) for row in rows]


def _pairs_with_breaks(engine: Engine) -> list[Record]:
    explained = [n for n, rule in enumerate(PRECEDENCE) if rule[1] is None]
    listed = ", ".join(map(str, explained))
    return _records(engine, f"select * from judged where rule not in ({listed})")


def _counts(engine: Engine, breaks: list[Break]) -> dict[str, object]:
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


def _records(engine: Engine, text: str) -> list[Record]:
    done = engine.execute(text)
    names = [column[0] for column in done.description]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _view(engine: Engine, name: str, paths: Sequence[Path]) -> None:
    files = ", ".join(f"'{_quoted(path)}'" for path in paths)
    engine.execute(f"create or replace temp view {name} as select * from read_parquet([{files}])")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _text_columns(columns: str) -> str:
    names = [column.split()[0] for column in columns.split(", ")]
    return "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in names) + "}"
