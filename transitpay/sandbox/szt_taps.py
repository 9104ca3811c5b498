"""Reads published Shenzhen Tong card taps, text in and values out; bad rows are counted by reason.

Pure. Columns are found by their header, in any order, quoted or not. A card number leaves this
module only as a keyed hash: its letters stand for the digits one for one and can be guessed, so
the key must be random and is never written down.

Source: Shenzhen Municipal Government Data Open Platform, data set 29200_00403601; the quirks that
are looked for were found in its rows.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from transitpay.clock import LOCAL_ZONE
from transitpay.errors import MalformedInput

COLUMNS = (
    *("card_no", "deal_date", "deal_type", "deal_value", "deal_money"),
    *("equ_no", "company_name", "station", "conn_mark"),
)
_HASH_BYTES = 16


class TapKind(StrEnum):
    """What a row records."""

    ENTRY = "metro_entry"
    EXIT = "metro_exit"
    BUS = "bus"


class Drop(StrEnum):
    """Why a row makes no tap, in order of precedence."""

    UNREADABLE = "unreadable_row"
    DUPLICATE = "exact_duplicate"
    EMPTY_STATION = "empty_station"
    DASH_STATION = "dash_station"
    BROKEN_NAME = "broken_character"


@dataclass(frozen=True, slots=True)
class RawTap:
    """One recorded card tap; money in fen.

    ``card`` is 32 hexadecimal digits of a keyed hash. ``place`` is the station, or the route of a
    bus, as written. ``full_fare_minor`` is the undiscounted fare (0 at an entry), ``paid_minor``
    what the card paid, ``transfer`` that it is marked to have got the transfer discount. ``where``
    is the file and line (``name line n``).
    """

    at: datetime
    kind: TapKind
    card: str
    place: str
    company: str
    equipment: str
    full_fare_minor: int
    paid_minor: int
    transfer: bool
    where: str = ""


@dataclass(frozen=True, slots=True)
class TapRows:
    """What the files hold: the taps in the order of (instant, place in the files), and counts.

    ``rows`` = taps + the sum of ``dropped``. ``kinds`` counts the rows, dropped ones too.
    ``apart`` are the dropped rows that can be read: without a place, or told twice.
    ``examples`` names the first row (``name line n``) that was dropped for each reason.
    """

    taps: tuple[RawTap, ...]
    apart: tuple[tuple[Drop, RawTap], ...]
    rows: int
    kinds: Mapping[TapKind, int]
    dropped: Mapping[Drop, int]
    examples: Mapping[Drop, str]


_KINDS = {"地铁入站": TapKind.ENTRY, "地铁出站": TapKind.EXIT, "巴士": TapKind.BUS}


def read_taps(files: Iterable[tuple[str, str]], card_key: bytes) -> TapRows:
    """The taps of several files, each (name, text), as one set.

    ``card_key`` is 16-64 random bytes. A row that stands twice, in one file or in two, counts
    once.

    Raises: MalformedInput (``bad_taps_file``) naming the file and the column that is missing.
    """
    assert 16 <= len(card_key) <= 64, "a card number is hashed with a random key"
    taps: list[RawTap] = []
    apart: list[tuple[Drop, RawTap]] = []
    kinds: Counter[TapKind] = Counter()
    dropped: Counter[Drop] = Counter()
    examples: dict[Drop, str] = {}
    seen: set[bytes] = set()
    rows = 0
    for name, text in files:
        reader = csv.DictReader(text.removeprefix("\ufeff").splitlines())
        _check_header(name, reader.fieldnames)
        for row in reader:
            rows += 1
            where = f"{name} line {reader.line_num}"
            drop, tap = _row(row, where, card_key, seen)
            if tap is not None:
                kinds[tap.kind] += 1
            if drop is not None:
                dropped[drop] += 1
                examples.setdefault(drop, where)
                if tap is not None:
                    apart.append((drop, tap))
            elif tap is not None:
                taps.append(tap)
    taps.sort(key=lambda tap: tap.at)
    return TapRows(tuple(taps), tuple(apart), rows, kinds, dropped, examples)


def _check_header(name: str, header: Iterable[str] | None) -> None:
    missing = [column for column in COLUMNS if column not in (header or ())]
    if missing:
        raise MalformedInput(
            "bad_taps_file", f"{name} has no column {', '.join(missing)}", field="line 1"
        )


def _row(
    row: Mapping[str | None, str | list[str] | None],
    where: str,
    card_key: bytes,
    seen: set[bytes],
) -> tuple[Drop | None, RawTap | None]:
    """What a row records, as far as it can be read, and why it makes no tap."""
    if None in row or None in row.values():
        return Drop.UNREADABLE, None  # more or fewer fields than the header has
    text = {str(name): str(value).strip() for name, value in row.items()}
    kind = _KINDS.get(text["deal_type"])
    at = _instant(text["deal_date"])
    full, paid = (_minor(text[name]) for name in ("deal_value", "deal_money"))
    if kind is None or at is None or full is None or paid is None or not text["card_no"]:
        return Drop.UNREADABLE, None
    tap = RawTap(
        at, kind, _hash(text["card_no"], card_key), text["station"], text["company_name"],
        text["equ_no"], full, paid, text["conn_mark"] == "1", where,
    )  # fmt: skip
    digest = _row_digest(text, card_key)
    if digest in seen:
        return Drop.DUPLICATE, tap
    seen.add(digest)
    return _bad_place(tap.place), tap


def _bad_place(place: str) -> Drop | None:
    if not place:
        return Drop.EMPTY_STATION
    if place == "-":
        return Drop.DASH_STATION
    return Drop.BROKEN_NAME if "?" in place or "\ufffd" in place else None


def _row_digest(text: Mapping[str, str], card_key: bytes) -> bytes:
    content = "\n".join(f"{name}={text[name]}" for name in sorted(text))
    return hashlib.blake2b(content.encode(), key=card_key, digest_size=_HASH_BYTES).digest()


def _hash(card_no: str, card_key: bytes) -> str:
    return hashlib.blake2b(card_no.encode(), key=card_key, digest_size=_HASH_BYTES).hexdigest()


def _instant(text: str) -> datetime | None:
    """A local wall-clock time as an aware UTC instant; None where it is none."""
    try:
        local = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
    return local.replace(tzinfo=LOCAL_ZONE).astimezone(UTC)


def _minor(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
