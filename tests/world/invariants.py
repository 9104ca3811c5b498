"""The numbered promises of the system, each checked against what the witness really saw.

The table is INVARIANTS; docs/explanation/world.md tells it in prose, and test_broken_rules breaks
each rule on purpose to see its invariant fail.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from transitpay.ride_code.deny_list import deny_key
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records import record_bytes
from transitpay.ride_code.records.record import ScanRecord
from transitpay.ride_code.trust_list import KeyStatus
from transitpay.taps import EXITS

from .town import Town
from .witness import Shown


@dataclass(frozen=True, slots=True)
class Invariant:
    """``find`` tells each breach in words; it never ends early."""

    number: int
    says: str
    find: Callable[[Town], Iterator[str]]


def broken_by(town: Town) -> list[str]:
    """Every breach, named with its number."""
    return [f"I{it.number} {it.says}: {found}" for it in INVARIANTS for found in it.find(town)]


def _two_online(town: Town) -> Iterator[str]:
    asked = [it for it in town.witness.openings() if it.by_gateway]
    for code, number in Counter(it.code for it in asked).items():
        if number > 1:
            gates = [it.reader for it in asked if it.code == code]
            yield f"counter {code.counter} opened {gates}"


def _doubles(town: Town) -> Iterator[str]:
    """Of a code that opened twice at most one opening is a tap."""
    openings = defaultdict(list)
    for it in town.witness.openings():
        openings[it.code].append(it)
    for found in (it for it in openings.values() if len(it) > 1):
        rows = [town.row(it.reader, it.sequence) for it in found]
        others = [row for row in rows if row is not None and row.decision != "accepted"]
        named = [town.difference(row.key) for row in others]
        if len(others) < len(found) - 1 or None in named:
            yield f"{_where(found)}: {[row.decision for row in rows if row]}, {named}"


def _accounted(town: Town) -> Iterator[str]:
    """A gate that opened made a tap, or one party bears the ride."""
    for it in town.witness.openings():
        row = town.row(it.reader, it.sequence)
        if row is None or (row.decision != "accepted" and town.difference(row.key) is None):
            yield f"{_where([it])} opened: {row and (row.decision, row.reason)}"


def _same_taps(town: Town) -> Iterator[str]:
    """The uploads again, each scan by itself, twice and in other orders; judged by the lists of
    the day on which it first came."""
    arrived = town.first_arrivals()
    first = town.uploaded_again(arrived)
    for n in range(2):
        order = [*arrived, *arrived]
        town.scheduler.chance(f"order {n}").shuffle(order)
        other = town.uploaded_again(order)
        for scan in sorted(set(first) ^ set(other))[:3]:
            yield f"{scan}"


def _exactly_once(town: Town) -> Iterator[str]:
    there = Counter((key.reader, key.sequence) for key in town.store.log.taps)
    for scan in sorted(town.witness.acknowledged):
        if there[scan] != 1:
            yield f"{scan} is there {there[scan]} times"


def _recorded_first(town: Town) -> Iterator[str]:
    for it in town.witness.openings():
        if not it.durable:
            yield f"{_where([it])} opened before its record was on the disk"


def _own_sequences(town: Town) -> Iterator[str]:
    yield from (f"{it}" for it in town.witness.sequences_used_twice)
    for reader, sequence in Counter((it.reader, it.sequence) for it in town.witness.shown).items():
        if sequence > 1:
            yield f"{reader} answered twice"
    for key, _ in sorted(town.store.log.alarms):
        yield f"{key} raised a clone alarm, and no reader is a clone"


def _denied(town: Town) -> Iterator[str]:
    numbers = {it.name: it.number for it in town.issuers.values()}
    tables = {it.head.version: it.table for it in town.office.history(ListKind.DENY)}
    for it in town.witness.shown:
        if town.registrations[it.reader].direction in EXITS or not it.by_reader:
            continue
        allowed = it.drawn.code.authorisation
        issuer = _issuer(town, allowed.key_id)
        found = tables[it.deny_version].find(deny_key(numbers[issuer], allowed.rider_id))
        denied = found is not None and allowed.serial <= int.from_bytes(found[-4:])
        if denied and it.opened:
            yield f"{_where([it])} opened though list {it.deny_version} denies the rider"
        if not denied and it.reason == Reason.DENIED:
            yield f"{_where([it])} refused, and list {it.deny_version} does not deny the rider"


def _compromised(town: Town) -> Iterator[str]:
    trusts = {
        it.head.version: trust_list_of(it.head.version, it.table)
        for it in town.office.history(ListKind.TRUST)
    }
    for it in town.witness.openings():
        if town.registrations[it.reader].direction in EXITS or not it.by_reader:
            continue
        key = trusts[it.trust_version].keys.get(it.drawn.code.authorisation.key_id)
        if key is None or key.status is KeyStatus.COMPROMISED:
            yield f"{_where([it])} opened for a withdrawn key"


def _forward(town: Town) -> Iterator[str]:
    for (reader, kind), ranks in sorted(town.witness.lists_taken.items()):
        if any(later <= earlier for earlier, later in pairwise(ranks)):
            yield f"{reader} took {kind} in the order {ranks}"


def _refusals(town: Town) -> Iterator[str]:
    for it in town.witness.shown:
        again = it.reason == Reason.ALREADY_ANSWERED
        wrong = it.signal == "red" if it.opened else it.signal != "red" and not again
        if wrong or (not it.opened and it.reason is None):
            yield f"{_where([it])}: open {it.opened}, signal {it.signal}, reason {it.reason}"


def _delivered(town: Town) -> Iterator[str]:
    for reader in town.readers.values():
        for record in (record_bytes.parse(it) for it in reader.store.records):
            if record.position not in town.store.positions.get(reader.name, set()):
                yield f"{reader.name}: record {record.position} never arrived"
            elif isinstance(record, ScanRecord):
                key = (reader.name, record.sequence)
                if not any((k.reader, k.sequence) == key for k in town.tap_keys(reader.name)):
                    yield f"{key} is in a delivered record and not in the log"


def _let_out(town: Town) -> Iterator[str]:
    for it in town.witness.stranded:
        yield f"{it.rider} was not let out at {it.reader}: {it.reasons}"


def _once_a_gate(town: Town) -> Iterator[str]:
    for (reader, _), number in Counter(
        (it.reader, it.code) for it in town.witness.openings()
    ).items():
        if number > 1:
            yield f"{reader} opened {number} times for one code"


def _issuer(town: Town, key_id: int) -> str:
    return next(it.name for it in town.issuers.values() if key_id in it.records)


def _where(found: list[Shown]) -> str:
    return " and ".join(f"{it.reader} {it.sequence} ({it.drawn.rider})" for it in found)


INVARIANTS = (
    Invariant(1, "no code opens two gates that were both online", _two_online),
    Invariant(2, "each offline double is found and one side is liable", _doubles),
    Invariant(3, "every acknowledged scan is there exactly once", _exactly_once),
    Invariant(4, "no gate opens before its record is durable", _recorded_first),
    Invariant(5, "no sequence is used for two scans", _own_sequences),
    Invariant(6, "a withdrawn key opens no entry where the list is held", _compromised),
    Invariant(7, "a denied rider is refused where the list is held, and released", _denied),
    Invariant(8, "list versions never go backward at a reader", _forward),
    Invariant(9, "a refused scan never looks like success", _refusals),
    Invariant(10, "what a living reader recorded is delivered in the end", _delivered),
    Invariant(11, "who entered in good order is let out", _let_out),
    Invariant(12, "a code opens a gate once, also after a power cut", _once_a_gate),
    Invariant(13, "every opening is a tap, or one side is liable", _accounted),
    Invariant(14, "central state does not depend on the order of uploads", _same_taps),
)
