"""Reads a wallet's file into canonical rows and problems with line numbers; all or nothing.

``scan`` streams: it holds one row at a time, so ten million rows need no more memory than ten.
What is tolerated (byte order mark, CRLF, blanks around fields, empty lines at the end) and
nothing else is named in docs/reference/wallet-files.md.

Source: docs/reference/wallet-files.md; partners' public samples for the two Alipay layouts.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import BinaryIO

from settlement.reconciling.layouts import (
    FileKind,
    Layout,
    Problem,
    Row,
    RowKind,
    Signs,
    Total,
    Unit,
)
from transitpay.clock import LOCAL_ZONE, wallet_day
from transitpay.errors import MalformedInput
from transitpay.money import currency, parse_major

#: Problems that are listed; further ones are counted.
LISTED_PROBLEMS = 1000
#: How long before its file's day a row may be dated.
LATE_DAYS = timedelta(days=7)
_BOM = b"\xef\xbb\xbf"
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
#: The longest amount in major units, its point included: what fits into a bigint and a sum of them.
_LONGEST_MAJOR = 16
#: Years that a row may name; near the ends of the calendar an instant has no UTC.
_YEARS = range(2000, 2100)
_RATE = re.compile(r"[0-9]{1,6}\.[0-9]{1,10}")

Item = Row | Total | Problem


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file before it is read; ``batch`` comes from its name or is empty."""

    layout: Layout
    kind: FileKind
    day: date
    batch: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole file: rows, or problems; never both. ``problem_count`` counts the unlisted too."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    problem_count: int


class _Refused(Exception):
    """One line cannot be read; carried to where its number is known."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def parse(raw: bytes, facts: FileFacts) -> Statement:
    """A file in memory, read at once; for large files use ``scan``."""
    rows: list[Row] = []
    problems: list[Problem] = []
    count = 0
    for item in scan(io.BytesIO(raw), facts):
        if isinstance(item, Row):
            rows.append(item)
        else:
            count += 1
            if len(problems) < LISTED_PROBLEMS:
                problems.append(item)
    return Statement(() if problems else tuple(rows), tuple(problems), count)


def scan(stream: BinaryIO, facts: FileFacts) -> Iterator[Row | Problem]:
    """The rows of a file in its order, and its problems; a file with any problem is no file."""
    sums = _Sums()
    own_day = total_seen = False
    rows = 0
    for item in _items(stream, facts):
        if isinstance(item, Problem):
            yield item
            continue
        if total_seen:
            yield Problem(item.line, "after_total", "a row after the total line")
        if isinstance(item, Total):
            total_seen = True
            yield from sums.compare(item)
            continue
        rows += 1
        own_day = own_day or wallet_day(item.completed_at) == facts.day
        sums.add(item)
        yield item
    if facts.layout.total_line and not total_seen:
        yield Problem(0, "no_total", "the total line is missing: the file was cut")
    if rows and not own_day:
        yield Problem(0, "wrong_day", f"no row is of {facts.day}: another day's file")


def text_lines(stream: BinaryIO, layout: Layout) -> Iterator[str | Problem]:
    """The lines of a file as text; bytes that are no text, or a missing line end, are a problem.

    Splitting at the byte 0x0A is right in UTF-8 and GB18030: it is no part of a longer character.
    """
    encoding = layout.encoding
    number, cut, raw = 0, False, b""
    for raw in stream:
        number += 1
        if number == 1 and raw.startswith(_BOM):
            raw, encoding = raw[len(_BOM) :], "utf-8"
        cut = not raw.endswith(b"\n")
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            yield Problem(number, "bad_text", f"not {encoding} text")
            continue
        if "\x00" in text:
            yield Problem(number, "bad_text", "holds a zero byte")
            continue
        yield text.rstrip("\r\n") + "\n"
    if cut and raw.strip():
        yield Problem(number, "cut", "the last line has no line end: the file was cut")


def _items(stream: BinaryIO, facts: FileFacts) -> Iterator[Item]:
    pending: list[Problem] = []
    blank_at = 0
    header_seen = False
    for line, fields in _records(stream, facts.layout, pending):
        yield from pending
        pending.clear()
        if not any(fields):
            blank_at = blank_at or line
            continue
        if blank_at:
            yield Problem(blank_at, "blank_line", "an empty line between rows")
            blank_at = 0
        if not header_seen:
            header_seen = True
            if tuple(fields) != facts.layout.header:
                yield Problem(line, "wrong_header", _header_text(fields, facts.layout))
                return
            continue
        try:
            yield _item(line, fields, facts)
        except _Refused as refused:
            yield Problem(line, refused.code, refused.text)
    yield from pending
    if not header_seen:
        yield Problem(1, "wrong_header", "the header line is missing")


def _records(
    stream: BinaryIO, layout: Layout, problems: list[Problem]
) -> Iterator[tuple[int, list[str]]]:
    """(line number, trimmed fields); what cannot be split is added to ``problems``."""

    def good() -> Iterator[str]:
        for line in text_lines(stream, layout):
            if isinstance(line, Problem):
                problems.append(line)
                yield "\n"
            else:
                yield line

    if not layout.quoting:
        for number, line in enumerate(_without_marks(good()), 1):
            yield number, [part.strip() for part in line.split(layout.delimiter)]
        return
    reader = csv.reader(good(), delimiter=layout.delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(Problem(start, "bad_quoting", f"cannot be split: {error}"))
            continue
        yield start, [part.strip() for part in fields]


def _without_marks(lines: Iterable[str]) -> Iterator[str]:
    return (line.rstrip("\n") for line in lines)


def _header_text(fields: list[str], layout: Layout) -> str:
    for at, (theirs, ours) in enumerate(zip(fields, layout.header, strict=False), 1):
        if theirs != ours:
            return f"column {at} is {theirs[:40]!r}, not {ours!r}"
    return f"{len(fields)} columns, not {len(layout.header)}"


def _item(line: int, fields: list[str], facts: FileFacts) -> Row | Total:
    layout = facts.layout
    if len(fields) != len(layout.header):
        raise _Refused("columns", f"{len(fields)} fields, not {len(layout.header)}")
    named = dict(zip(layout.header, fields, strict=True))
    record = {ours: named[theirs] for ours, theirs in layout.columns.items()}
    for column, word in layout.words.items():
        if named[column] != word:
            raise _Refused("bad_word", f"{column} is {named[column][:40]!r}, not {word!r}")
    if layout.total_line and record["record"] == "TOTAL":
        return _total(line, record)
    if layout.total_line and record["record"] != "ITEM":
        raise _Refused("bad_word", f"record is {record['record'][:40]!r}, not ITEM or TOTAL")
    return _signed(_row(line, record, facts), layout)


def _total(line: int, record: dict[str, str]) -> Total:
    rows = _minor(record, "request_id", "", Unit.MINOR)
    amount, fee, settlement = (
        _minor(record, name, "", Unit.MINOR) for name in ("amount", "fee", "settlement")
    )
    code = _currency(record["currency"])
    return Total(line, rows, amount, fee, settlement, code, record["batch"])


def _row(line: int, record: dict[str, str], facts: FileFacts) -> Row:
    layout = facts.layout
    code = _currency(record["currency"])
    try:
        kind = layout.kinds[record["kind"]]
        success = layout.statuses[record["status"]]
    except KeyError as unknown:
        raise _Refused("bad_word", f"unknown type or status {unknown}") from None
    at = _instant(record["completed_at"], layout)
    if not facts.day - LATE_DAYS <= wallet_day(at) <= facts.day:
        raise _Refused("wrong_day", f"dated {wallet_day(at)} in a file of {facts.day}")
    original = record.get("original_id", "")
    return Row(
        line=line,
        kind=kind,
        request_id=_id(record["request_id"], "our id"),
        original_id=_id(original, "original id") if original else "",
        wallet_id=_id(record["wallet_id"], "wallet id"),
        success=success,
        amount_minor=_minor(record, "amount", code, layout.unit),
        fee_minor=_minor(record, "fee", code, layout.unit),
        settlement_minor=_minor(record, "settlement", code, layout.unit),
        currency=code,
        completed_at=at,
        batch=_batch(record, facts, code),
        other_minor=_minor(record, "other", "CNY", Unit.MAJOR) if "other" in record else None,
        rate=_rate(record["rate"]) if "rate" in record else None,
    )


def _signed(row: Row, layout: Layout) -> Row:
    """Payments above zero, refunds and cancellations below, whatever the layout writes."""
    back = row.kind is not RowKind.PAYMENT
    if layout.signs is Signs.SETTLEMENT_ONLY:
        if row.amount_minor < 0:
            raise _Refused("bad_sign", "the amount is never signed in this layout")
        if back:
            row = replace(row, amount_minor=-row.amount_minor)
    for name, minor in (("amount", row.amount_minor), ("settlement", row.settlement_minor)):
        if (back and minor > 0) or (not back and minor < 0):
            raise _Refused("bad_sign", f"the {name} of a {row.kind} has the wrong sign")
    return row


def _batch(record: dict[str, str], facts: FileFacts, code: str) -> str:
    match facts.layout.batch_by:
        case "column":
            return _id(record["batch"], "batch id")
        case "settled_day":
            # Days are settled together after a holiday: each file's part is a batch of its own.
            settled = _instant(record["settled_at"], facts.layout)
            return f"{facts.day:%Y%m%d}-{wallet_day(settled):%Y%m%d}-{code}"
        case _:
            return facts.batch


def _instant(text: str, layout: Layout) -> datetime:
    for form in layout.time_formats:
        try:
            if form == "iso":
                at = datetime.fromisoformat(text)
            else:
                at = datetime.strptime(text, form).replace(tzinfo=LOCAL_ZONE)
        except ValueError:
            continue
        if at.tzinfo is not None and at.year in _YEARS:
            return at.astimezone(UTC)
    raise _Refused("bad_time", f"{text[:40]!r} is not a time of this layout")


def _minor(record: dict[str, str], name: str, code: str, unit: Unit) -> int:
    text = record[name]
    if unit is Unit.MINOR:
        if not _INTEGER.fullmatch(text):
            raise _Refused("bad_amount", f"{name} {text[:40]!r} is not an integer")
        return int(text)
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if len(digits) > _LONGEST_MAJOR:
        raise _Refused("bad_amount", f"{name} {text[:40]!r} is too long")
    try:
        return sign * parse_major(digits, currency(code)).minor
    except MalformedInput as error:
        raise _Refused(error.code, f"{name}: {error.message}") from None


def _rate(text: str) -> Decimal:
    if not _RATE.fullmatch(text) or not Decimal(text):
        raise _Refused("bad_rate", f"{text[:40]!r} is not a rate above 0")
    return Decimal(text)


def _currency(text: str) -> str:
    try:
        return currency(text).code
    except MalformedInput as error:
        raise _Refused(error.code, error.message[:80]) from None


def _id(text: str, name: str) -> str:
    if not _ID.fullmatch(text):
        raise _Refused("bad_id", f"{name} {text[:70]!r} is not an id")
    return text


class _Sums:
    """Adds up rows while they pass, to compare with a control line."""

    def __init__(self) -> None:
        self.rows = self.amount = self.fee = self.settlement = 0
        self.currencies: set[str] = set()

    def add(self, row: Row) -> None:
        self.rows += 1
        self.currencies.add(row.currency)
        if row.success:
            self.amount += row.amount_minor
            self.fee += row.fee_minor
            self.settlement += row.settlement_minor

    def compare(self, total: Total) -> Iterator[Problem]:
        said = (total.rows, total.amount_minor, total.fee_minor, total.settlement_minor)
        read = (self.rows, self.amount, self.fee, self.settlement)
        names = ("rows", "amount", "fee", "settlement")
        for name, theirs, ours in zip(names, said, read, strict=True):
            if theirs != ours:
                text = f"the total line says {name} {theirs}, the rows give {ours}"
                yield Problem(total.line, "total_differs", text)
        if self.currencies - {total.currency}:
            yield Problem(total.line, "total_differs", "rows of another currency than the total")
