"""Builds a world from its seed: who is in it, what will go wrong and when; and lets it happen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.readers import uploads
from transitpay.postgres.gates.taps import TapRow
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.taps import Direction, TapKey

from .clocks import PhoneClock, ReaderClock
from .disks import Disk
from .gateways import Gateway, Store
from .issuers import Issuer
from .links import Link, LinkFaults
from .list_office import ListOffice
from .memory_log import MemoryTapLog
from .phones import Drawn, Phone
from .readers import ReaderActor, Told
from .riders import Gate, Habit, Rider
from .scheduler import Scheduler
from .trace import Trace
from .witness import Witness

BEGIN = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
DEBOUNCE = timedelta(seconds=2)
#: After the last rider all links come up and everybody has this long to deliver.
_DRAIN = timedelta(hours=6)
_STOPS = ("HUH", "LOW", "LMC", "FUT")
_ROUTES = ("276B", "B1")
_HABITS = (
    *(Habit.HONEST,) * 3, *(Habit.COMPANIONS,) * 2, *(Habit.SHARER,) * 2, Habit.TWICE,
    Habit.RESTORED, Habit.AWAY, Habit.WRONG_CLOCK, Habit.FORGER,
)  # fmt: skip


Batch = tuple[list[uploads.Upload], uploads.Told]


@dataclass(slots=True)
class Town:
    """A world; ``run`` lets it happen once."""

    seed: int
    days: float
    scheduler: Scheduler
    trace: Trace
    witness: Witness
    office: ListOffice
    issuers: dict[str, Issuer]
    store: Store
    registrations: dict[str, ReaderRegistration]
    gateways: list[Gateway] = field(default_factory=list)
    readers: dict[str, ReaderActor] = field(default_factory=dict)
    riders: list[Rider] = field(default_factory=list)

    def run(self) -> None:
        """From the first event to the last."""
        for reader in self.readers.values():
            reader.power_on()
        for rider in self.riders:
            rider.live(self.days)
        end = BEGIN + timedelta(days=self.days, hours=2)
        self.scheduler.run(end)
        for reader in self.readers.values():
            reader.link.outages = 0
            reader.link.faults = LinkFaults()
            reader.power_on()
        self.store.outages = 0
        self.scheduler.run(end + _DRAIN)
        self.trace.note("world", "ends", taps=len(self.store.log.taps))

    def show(self, gate: Gate, drawn: Drawn, told: Told) -> None:
        """Hold a code before a reader."""
        self.readers[gate.name].show(drawn, told)

    def tap_keys(self, reader: str) -> list[TapKey]:
        """The stored scans of a reader."""
        return [key for key in self.store.log.taps if key.reader == reader]

    def row(self, reader: str, sequence: int) -> TapRow | None:
        """The stored scan of this sequence."""
        taps = self.store.log.taps
        return next((taps[k] for k in self.tap_keys(reader) if k.sequence == sequence), None)

    def difference(self, key: TapKey) -> tuple[str, str] | None:
        """What reader and gateway differ about in a scan, and who is liable."""
        record = self.store.log.records.get(key)
        if record is None or record.word.difference is None or record.word.liable is None:
            return None
        return record.word.difference, record.word.liable

    def first_arrivals(self) -> list[Batch]:
        """Every uploaded scan by itself, in the order and as it came first."""
        found: dict[TapKey, Batch] = {}
        for scans, told in self.store.uploads:
            for scan in scans:
                found.setdefault(scan.key, ([scan], told))
        return list(found.values())

    def uploaded_again(self, batches: Sequence[Batch]) -> list[tuple[str, ...]]:
        """What a fresh log holds after the same online answers and these uploads."""
        log = MemoryTapLog(DEBOUNCE)
        for group in self.store.groups:
            log.append(group)
        for scans, told in batches:
            log.upload(scans, told)
        return [
            (key.reader, str(key.sequence), row.decision, str(row.reason), str(row.reader_opened),
             str(log.records[key].word.difference if key in log.records else None))
            for key, row in sorted(log.taps.items())
        ]  # fmt: skip

    def summary(self) -> dict[str, int]:
        """What happened, in numbers."""
        opened = self.witness.openings()
        codes = [it.code for it in opened]
        return {
            "events": self.scheduler.happened,
            "scans": len(self.witness.shown),
            "opened": len(opened),
            "offline": sum(not it.by_gateway for it in opened),
            "doubles": len(codes) - len(set(codes)),
            "taps": len(self.store.log.taps),
            "starts": sum(it.life + 1 for it in self.readers.values()) // 2,
        }


def build(seed: int, days: float) -> Town:
    """The world of this seed."""
    scheduler = Scheduler(seed, BEGIN)
    witness, trace = Witness(), Trace(lambda: scheduler.now)
    issuers = {
        name: Issuer(name, number, scheduler)
        for number, name in enumerate(("alipayhk", "shenzhen-tong"), start=1)
    }
    office = ListOffice(scheduler, issuers)
    office.publish_trust()
    office.publish_deny()
    town = Town(
        seed, days, scheduler, trace, witness, office, issuers,
        Store(MemoryTapLog(DEBOUNCE)), {it.id: it for it in _registrations()},
    )  # fmt: skip
    chance = scheduler.chance("town")
    town.gateways = [
        Gateway(
            f"gateway-{n}", scheduler, scheduler.chance(f"gateway {n}"), town.store, office,
            issuers, town.registrations, witness, timedelta(seconds=chance.uniform(1, 20)),
        )
        for n in range(1, 4)
    ]  # fmt: skip
    for registration in town.registrations.values():
        _put_up(town, registration, chance)
    _people(town, chance)
    _troubles(town, chance)
    return town


def _registrations() -> Iterator[ReaderRegistration]:
    for stop in _STOPS:
        for n in (1, 2):
            yield ReaderRegistration(
                f"{stop}-in-{n}", "mtr", "mtr", 0, 0, stop, Direction.ENTRY, passback_s=300
            )
        yield ReaderRegistration(f"{stop}-out", "mtr", "mtr", 0, 0, stop, Direction.EXIT)
    for route in _ROUTES:
        yield ReaderRegistration(
            f"bus-{route}", "kmb", "kmb", 0, 1, route, Direction.BOARD, passback_s=5
        )


def _put_up(town: Town, it: ReaderRegistration, chance: random.Random) -> None:
    """One reader with its config, its lists, its quartz and its link."""
    offline = it.network == "kmb" or chance.random() < 0.25
    settings = {
        "operator": it.operator, "network": it.network, "stop": it.stop,
        "direction": it.direction.value, "destination": str(it.destination), "mode": str(it.mode),
        "passback_s": str(it.passback_s), "budget_ms": "0" if offline else "200",
        "highest_fare.HKD": "1500",
    }  # fmt: skip
    town.office.publish_config(it.id, settings)
    faults = LinkFaults(
        lost=chance.choice([0, 10, 50, 200]), slow=chance.choice([0, 10, 50, 200]),
        doubled=chance.choice([0, 20, 100]), slow_s=chance.choice([1.0, 30.0, 3000.0]),
    )  # fmt: skip
    scheduler = town.scheduler
    reader = ReaderActor(
        it.id, scheduler, scheduler.chance(f"reader {it.id}"),
        ReaderClock.of(scheduler, chance.uniform(-90, 90), chance.uniform(-2, 2)),
        Disk(scheduler.chance(f"disk {it.id}")),
        Link(scheduler, scheduler.chance(f"link {it.id}"), faults),
        town.gateways, town.witness, town.trace, capacity=5000,
    )  # fmt: skip
    for kind in ListKind:
        newest = town.office.newest(kind, it.id if kind is ListKind.CONFIG else "")
        reader.install(kind, town.office.body(newest, 0))
    town.readers[it.id] = reader
    town.store.reader_keys[it.id] = reader.public_key


def _people(town: Town, chance: random.Random) -> None:
    places = [Gate(it.id, it.stop, it.direction) for it in town.registrations.values()]
    for number, habit in enumerate(_HABITS):
        name = f"{habit}-{number}"
        issuer = chance.choice(list(town.issuers.values()))
        offset_s = chance.choice([-300, -90, -40, 30, 90, 86_400])
        clock = PhoneClock(
            town.scheduler, offset_s if habit is Habit.WRONG_CLOCK else chance.uniform(-3, 3)
        )
        phone = Phone(name, issuer, clock, name)
        rider = Rider(
            name, habit, phone, town.scheduler.chance(f"rider {name}"), town.scheduler, town,
            places, town.witness,
        )  # fmt: skip
        if habit is Habit.RESTORED:
            phone.go_online(48)
            rider.other_phone = phone.restored(f"{name}-copy", clock)
        town.riders.append(rider)


# -- what goes wrong ---------------------------------------------------------------------------


def _troubles(town: Town, chance: random.Random) -> None:
    span_s = town.days * 86_400
    for reader in town.readers.values():
        for _ in range(chance.randint(0, 3)):
            _span(town, chance, span_s, chance.uniform(60, 20_000), _cut(reader, town.trace))
        for _ in range(chance.randint(0, 2)):
            _span(town, chance, span_s, chance.uniform(5, 3000), _dark(reader))
    for _ in range(chance.randint(0, 2)):
        _span(town, chance, span_s, chance.uniform(5, 1200), _database_away(town))
    for rider in chance.sample(town.riders, 3):
        town.scheduler.after(chance.uniform(0, span_s), deny(town, rider))
    if chance.random() < 0.5:
        issuer = chance.choice(list(town.issuers.values()))
        town.scheduler.after(chance.uniform(0, span_s), _compromise(town, issuer))
    if chance.random() < 0.3:
        town.scheduler.after(chance.uniform(0, span_s), town.office.new_list_key)
    for _ in range(3):
        town.scheduler.after(chance.uniform(0, span_s), town.office.publish_deny)


Span = tuple[Callable[[], None], Callable[[], None]]


def _span(town: Town, chance: random.Random, span_s: float, length_s: float, trouble: Span) -> None:
    begin_s = chance.uniform(0, span_s)
    town.scheduler.after(begin_s, trouble[0])
    town.scheduler.after(begin_s + length_s, trouble[1])


def _cut(reader: ReaderActor, trace: Trace) -> Span:
    def begin() -> None:
        reader.link.outages += 1
        trace.note(reader.name, "loses its network")

    def end() -> None:
        reader.link.outages = max(0, reader.link.outages - 1)
        trace.note(reader.name, "has its network")

    return begin, end


def _dark(reader: ReaderActor) -> Span:
    return reader.power_off, reader.power_on


def _database_away(town: Town) -> Span:
    def begin() -> None:
        town.store.outages += 1
        town.trace.note("database", "is away")

    def end() -> None:
        town.store.outages = max(0, town.store.outages - 1)
        town.trace.note("database", "is back")

    return begin, end


def deny(town: Town, rider: Rider) -> Callable[[], None]:
    def act() -> None:
        if rider.phone.authorisation is not None:
            rider.phone.issuer.deny(rider.name)
            version = town.office.publish_deny()
            town.trace.note(rider.name, "is denied", version=version)

    return act


def _compromise(town: Town, issuer: Issuer) -> Callable[[], None]:
    def act() -> None:
        key_id = issuer.compromise()
        version = town.office.publish_trust()
        town.trace.note(issuer.name, "loses its key", key=key_id, version=version)
        for rider in town.riders:
            if rider.phone.issuer is issuer:
                rider.blameless = False

    return act
