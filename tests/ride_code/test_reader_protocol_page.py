"""docs/reader-protocol.md tells the real tags, layouts, numbers, settings and examples."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest

from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD
from transitpay.ride_code import signing
from transitpay.ride_code.golden import protocol as protocol_vectors
from transitpay.ride_code.lists.config_list import VALUE_LENGTH
from transitpay.ride_code.lists.list_taking import ListRefusal
from transitpay.ride_code.lists.signed_list import CERTIFICATE_LENGTH, HEAD_LENGTH, ListKind
from transitpay.ride_code.reader import settings
from transitpay.ride_code.reader.settings import ReaderSettings
from transitpay.ride_code.reasons import NUMBERS
from transitpay.ride_code.records import record_bytes, sealed_batch
from transitpay.ride_code.records.record import DecidedBy, Decision, EventKind, Mode, Passage
from transitpay.taps import Direction

PAGE = (Path(__file__).parents[2] / "docs" / "reader-protocol.md").read_text(encoding="utf-8")
FILE = protocol_vectors.read_vectors(protocol_vectors.shipped_text())
SOURCES = {vector.name: vector.source for vector in FILE.vectors}


def section(title: str) -> str:
    """The text under a title, down to the next of its level or above."""
    found = re.search(rf"^(##+) {re.escape(title)}\n", PAGE, re.MULTILINE)
    assert found, f"the page has no section {title}"
    rest = PAGE[found.end() :]
    end = re.search(rf"^#{{2,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text: str, columns: int) -> list[list[str]]:
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in row] for row in rows if len(row) == columns]


def layout(text: str, columns: int = 3) -> list[tuple[int, int]]:
    """(offset, length) of the rows that tell both as numbers."""
    rows = table(text, columns)
    return [(int(r[0]), int(r[1])) for r in rows if r[0].isdigit() and r[1].isdigit()]


def test_the_tags_are_those_of_the_signatures() -> None:
    rows = table(PAGE.split("## Lists")[0], 2)
    told = [f"{row[0].strip('`')}\0".encode() for row in rows if row[0].startswith("`TransitPay/")]
    assert told == [
        signing.LIST_KEY_TAG, signing.LIST_TAG, signing.BATCH_TAG, signing.READER_KEY_TAG,
        sealed_batch.RECORD_TAG,
    ]  # fmt: skip


def test_the_kinds_of_lists_have_their_numbers_and_sizes() -> None:
    for kind, row in zip(ListKind, table(section("Lists").split("###")[0], 5)[2:], strict=True):
        shape = kind.table(b"")
        told = (row[0], int(row[1]), int(row[2]), int(row[3]))
        assert told == (kind.value, kind.number, shape.record_size, shape.key_size)


@pytest.mark.parametrize(
    ("title", "part", "length"),
    [
        ("The head, 278 bytes", 0, HEAD_LENGTH),
        ("The head, 278 bytes", 1, CERTIFICATE_LENGTH),
        ("Trust record, 88 bytes", 0, 88),
        ("Sealed batch", 0, sealed_batch.RECORDS_OFFSET),
    ],
)
def test_a_layout_table_covers_its_bytes_without_a_gap(title: str, part: int, length: int) -> None:
    rows = layout(section(title))
    starts = [i for i, (offset, _) in enumerate(rows) if offset == 0]
    rows = rows[starts[part] : [*starts, len(rows)][part + 1]]
    assert all(offset + size == after for (offset, size), (after, _) in pairwise(rows))
    assert rows[-1][0] + rows[-1][1] == length and rows[0][0] == 0


def test_the_fixed_part_of_a_scan_follows_the_header_without_a_gap() -> None:
    rows = layout(section("Records").split("**2 outcome**")[0])
    assert rows[0][0] == record_bytes.HEADER_LENGTH
    assert all(offset + size == after for (offset, size), (after, _) in pairwise(rows))
    assert sum(rows[-1]) == 56
    assert f"at most {record_bytes.MAX_TEXT_LENGTH} bytes" in section("Records")
    assert f"length of the code, at most {record_bytes.MAX_CODE_LENGTH} |" in section("Records")


@pytest.mark.parametrize(
    ("field", "members", "first"),
    [("direction", Direction, 1), ("decision", Decision, 1), ("mode", Mode, 0),
     ("outcome (1)", Passage, 1)],
)  # fmt: skip
def test_the_numbers_of_a_record_are_the_real_ones(field: str, members: object, first: int) -> None:
    told = re.search(rf"{re.escape(field)}: (.*?)(?: \||\.\n)", section("Records"), re.DOTALL)
    assert told
    found = re.findall(r"(\d) ([a-z ]+)", re.sub(r"\(.*?\)", "", told[1]))
    expected = [(str(n), str(m).replace("_", " ")) for n, m in enumerate(members, first)]  # type: ignore[call-overload] # enumerations
    assert [(n, name.strip()) for n, name in found] == expected


def test_who_decided_and_the_events_have_their_numbers() -> None:
    assert [*DecidedBy] == ["reader", "gateway"]
    assert "decided by: 1 the reader alone, 2 the gateway's answer" in section("Records")
    events = section("Records").split("###")[0]
    cells = [cell for row in table(events, 6)[2:] for cell in row]
    told = {int(n): name.split("`")[1] for n, name in zip(cells[::2], cells[1::2], strict=True)}
    assert told == dict(enumerate(map(str, EventKind), 1))


def test_the_reason_numbers_are_the_real_ones() -> None:
    cells = [cell for row in table(section("Reason numbers"), 6)[2:] for cell in row]
    pairs = zip(cells[::2], cells[1::2], strict=True)
    told = {name.strip("`"): int(n) for n, name in pairs if n}
    assert told == {str(reason): number for reason, number in NUMBERS.items()}


def test_the_refusals_of_a_list_stand_in_their_order() -> None:
    rows = [row for row in table(section("Taking a list"), 3) if row[0].isdigit()]
    assert [(int(row[0]), row[1].strip("`")) for row in rows] == [
        (number, str(reason)) for number, reason in enumerate(ListRefusal, 1)
    ]


def told_settings() -> dict[str, str]:
    """Name -> default of every setting of the page; "-" = needed, "none" = absent."""
    found = {}
    for names, defaults, _ in table(section("Config record, 128 bytes"), 3)[2:]:
        every = [name.strip("` ") for name in names.split(", ")]
        given = [it.strip("` ") for it in defaults.split("`, `")]
        found |= dict(zip(every, given * len(every) if len(given) == 1 else given, strict=True))
    return found


def test_the_settings_of_a_config_have_their_defaults() -> None:
    needed = {"operator": "mtr", "network": "mtr", "stop": "HUH", "direction": "entry",
              "destination": "0", "mode": "0"}  # fmt: skip
    told = told_settings()
    assert {name for name, default in told.items() if default == "-"} == set(needed)
    spelled = {n: v for n, v in told.items() if v not in ("-", "none")}
    assert ReaderSettings.of({**needed, **spelled}) == ReaderSettings.of(needed)
    assert ReaderSettings.of(needed).rules.fares_minor == {}
    source = Path(settings.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'_(?:text|integer|flag|choice)\(\s*values, "([a-z_]+)"', source))
    read |= set(re.findall(r'values\.get\("([a-z_]+)"', source))
    read |= {f"{n}.{unit.code}" for n in ("highest_fare", "stale_ceiling") for unit in (HKD, CNY)}
    assert set(told) == read
    assert f"value ({VALUE_LENGTH}, " in section("Config record, 128 bytes")


def test_the_bounds_of_settings_are_the_real_ones() -> None:
    needed = {"operator": "mtr", "network": "mtr", "stop": "HUH", "direction": "entry",
              "destination": "0", "mode": "0"}  # fmt: skip
    met = set()
    for names, _, meaning in table(section("Config record, 128 bytes"), 3)[2:]:
        bounds = re.findall(r"(?:^|, )(\d+)-(\d+)", meaning.split(":")[0])
        every = [name.strip("` ") for name in names.split(", ")]
        for name, (low, high) in zip(every, bounds * len(every) if len(bounds) == 1 else bounds,
                                     strict=bool(bounds)):  # fmt: skip
            met.add(name)
            for good in (low, high):
                ReaderSettings.of({**needed, name: good})
            for bad in (str(int(low) - 1), str(int(high) + 1), "x", "", "\u0661"):
                with pytest.raises(MalformedInput) as caught:
                    ReaderSettings.of({**needed, name: bad})
                assert caught.value.field in (name, name.split(".")[0]), name
    words = {"operator", "network", "stop", "direction", "stale_lists", "store_full"}
    assert met == set(told_settings()) - words - {"clock_fault", "languages", "gates"}


EXAMPLES = {
    "A trust list": "example-trust-list", "A delta": "example-trust-delta",
    "A scan": "record-scan", "A sealed batch": "batch-first",
}  # fmt: skip


@pytest.mark.parametrize("title", EXAMPLES)
def test_a_worked_example_is_its_vector_field_by_field(title: str) -> None:
    data = bytes.fromhex(str(SOURCES[EXAMPLES[title]]["hex"]))
    rows = [row for row in table(section(title), 4) if row[0].isdigit()]
    joined = b""
    for offset, _, value, _ in rows:
        assert int(offset) == len(joined)
        joined += bytes.fromhex(value.strip("`"))
    assert joined == (data[:192] if title == "A sealed batch" else data)
    assert EXAMPLES[title] in section(title)


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_meanings_of_a_worked_example_are_its_values(title: str) -> None:
    for _, field, value, meaning in table(section(title), 4)[2:]:
        data = bytes.fromhex(value.strip("`"))
        if field == "zero":
            assert not any(data) and not meaning
        elif number := re.match(r"(\d+)(?: |$)", meaning):
            assert int(number[1]) == int.from_bytes(data, "big"), field
        elif meaning == "none":
            assert data in (b"\0", b"\xff", bytes(4), b"\xff" * 4), field
        elif data.rstrip(b"\0").isascii() and re.fullmatch(r"[A-Za-z0-9-]+", meaning):
            assert data.rstrip(b"\0").decode() == meaning, field


def test_the_digests_and_the_chain_of_the_examples_are_real() -> None:
    told = section("Worked examples")
    whole = bytes.fromhex(str(SOURCES["example-trust-list"]["hex"]))
    batch = bytes.fromhex(str(SOURCES["batch-first"]["hex"]))
    for tag, signed in (
        (signing.LIST_KEY_TAG, whole[96:150]), (signing.LIST_TAG, whole[:96]),
        (signing.BATCH_TAG, batch[:128]),
    ):  # fmt: skip
        assert hashlib.sha256(tag + signed).hexdigest() in told
    assert FILE.roots[1].hex() in told
    chain = next(v for v in FILE.vectors if v.name == "chain-first-key")
    hashes = chain.expected["hashes"]
    assert isinstance(hashes, list)
    for number, digest in enumerate(hashes):
        assert f"\nhash {number}  {digest}\n" in told
    records = chain.source["records"]
    assert isinstance(records, list) and records[1] == SOURCES["record-scan"]["hex"]
    for number in (1, 3, 5):
        assert f"\nrecord {number}  {records[number - 1]}\n" in told
    assert str(chain.source["public_key"]) in told


def test_the_number_of_vectors_is_the_real_one() -> None:
    assert f"\n{len(FILE.vectors)} lists, records" in section("Golden vectors")
