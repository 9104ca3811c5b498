"""A gateway of the world: production's judging and decision over the shared tap log in memory.

There are several, each with its own, slightly old view of the lists and its own group under way.
What reaches them comes over links; what they answer may never arrive.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway.readers.record_api import check_batch, read_batch
from gateway.readers.recording import Recording
from gateway.readers.uploads import Told, Upload
from gateway.taps.judging import Judging
from gateway.taps.places import Places
from gateway.taps.reader_api import tap_answer
from gateway.taps.scans import JudgedScan, Outcome, Stored
from gateway.taps.tap_models import TapRequest
from transitpay.postgres.gates.reader_keys import ReaderKey
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code.deny_list import DenyTable
from transitpay.ride_code.lists.signed_list import ListKind, SignedList
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.records.record import ScanRecord
from transitpay.ride_code.records.record_chain import Acknowledged, Link, extend
from transitpay.ride_code.records.rejudgement import HeldList, TodaysLists
from transitpay.ride_code.records.sealed_batch import SealedBatch, chain_start
from transitpay.ride_code.trust_list import TrustList

from .issuers import Issuer
from .list_office import ListOffice, deny_table
from .memory_log import MemoryTapLog
from .scheduler import Scheduler
from .witness import Witness


@dataclass(slots=True)
class Store:
    """What all gateways share: the database, and whether it is there."""

    log: MemoryTapLog
    outages: int = 0
    #: Reader -> the key that it enrolled, and the links of its chain that are here.
    reader_keys: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, list[Link]] = field(default_factory=dict)
    #: Reader -> positions of the records that are here.
    positions: dict[str, set[int]] = field(default_factory=dict)
    #: Everything that came, in its order: groups of online scans, and uploads.
    groups: list[list[JudgedScan]] = field(default_factory=list)
    uploads: list[tuple[list[Upload], Told]] = field(default_factory=list)

    @property
    def up(self) -> bool:
        """Whether it takes transactions."""
        return self.outages == 0

    def append(self, group: list[JudgedScan]) -> list[Outcome]:
        """Store a group of online scans."""
        self.groups.append(group)
        return self.log.append(group)

    def upload(self, reader: str, batch: SealedBatch, uploads: list[Upload], told: Told) -> None:
        """Store a batch: its scans, and its place in the reader's chain."""
        head = batch.head
        link = Link(
            head.key_number, head.first_position, batch.last_position, head.before, head.after
        )
        self.links.setdefault(reader, []).append(link)
        self.positions.setdefault(reader, set()).update(range(link.first, link.last + 1))
        self.uploads.append((uploads, told))
        self.log.upload(uploads, told)

    def acknowledged(self, reader: str) -> int:
        """Every record of the reader up to this position is here, without a gap and chained."""
        start = Acknowledged(1, 0, chain_start(reader, self.reader_keys[reader]))
        return extend(start, self.links.get(reader, ())).through


@dataclass(slots=True)
class _KnownPlaces:
    """What a gateway knows of stops, without a database to poll."""

    current: Places = field(default_factory=Places)


#: Days that can be booked; in a world of a few days all of them.
_BOOKABLE = (date(2026, 1, 1), date(2026, 12, 31))
Reply = Callable[[int, bytes], None]


@dataclass(slots=True)
class Gateway:
    """One process."""

    name: str
    scheduler: Scheduler
    chance: random.Random
    store: Store
    office: ListOffice
    issuers: Mapping[str, Issuer]
    readers: Mapping[str, ReaderRegistration]
    witness: Witness
    list_lag: timedelta
    judging: Judging = field(
        default_factory=lambda: Judging(_KnownPlaces(), test_keys_allowed=False)
    )
    _lists: dict[ListKind, SignedList] = field(default_factory=dict)
    _trust: TrustList | None = None
    _deny: DenyTable | None = None
    _todays: TodaysLists | None = None
    _refreshed_at: datetime | None = None
    _waiting: list[tuple[JudgedScan, Callable[[Outcome], None]]] = field(default_factory=list)

    def tap(self, reader: str, body: bytes, reply: Reply) -> None:
        """``POST /v1/taps``: decide a scan with the next group."""
        asked = TapRequest.model_validate_json(body)
        if not self.store.up:
            reply(503, b"")
            return
        trust, deny = self._refresh()
        scan = self.judging.online(asked, self.readers[reader], trust, deny, self.scheduler.now)

        def told(outcome: Outcome) -> None:
            if outcome.stored is Stored.CONFLICT or outcome.decision is None:
                reply(409, b"")
                return
            self.witness.acknowledged.add((reader, asked.sequence))
            reply(200, tap_answer(asked.sequence, outcome).model_dump_json().encode())

        self._enqueue(scan, told)

    def records(self, reader: str, body: bytes, reply: Callable[[int | None], None]) -> None:
        """``POST /v1/readers/records``: a sealed batch, stored as a whole or not at all."""
        if not self.store.up:
            reply(None)
            return
        batch, found = read_batch(body)
        key = ReaderKey(1, self.store.reader_keys[reader], 1)
        hashes = check_batch(batch, reader, [key])
        self._refresh()
        assert self._todays is not None
        recording = Recording(
            self.readers[reader], self.judging, self._todays, _BOOKABLE, self.scheduler.now
        )
        uploads = [
            recording.upload(it, record_hash)
            for it, record_hash in zip(found, hashes, strict=True)
            if isinstance(it, ScanRecord)
        ]
        self.store.upload(reader, batch, uploads, self._told(uploads))
        self.witness.acknowledged |= {(reader, it.key.sequence) for it in uploads}
        reply(self.store.acknowledged(reader))

    def _told(self, uploads: list[Upload]) -> Told:
        """Since when the lists say what they say, as the database remembers it."""
        denials, compromises = {}, {}
        for upload in (it for it in uploads if it.judged.against and it.accepted):
            assert upload.accepted is not None
            issuer, it = upload.accepted.issuer, upload.accepted.code.authorisation
            since = self.issuers[issuer].denied_at.get((it.rider_id, it.serial))
            denials[issuer, it.rider_id, it.serial] = since or self.scheduler.now
            key = self.issuers[issuer].records[it.key_id]
            compromises[it.key_id] = key.compromised_at or self.scheduler.now
        issued = [
            {v.head.version: HeldList(v.head.issued_at, v.head.use_by) for v in versions}
            for versions in map(self.office.history, (ListKind.TRUST, ListKind.DENY))
        ]
        held = self._lists
        return Told(
            denials, compromises, *issued, held[ListKind.TRUST].head.version,
            held[ListKind.DENY].head.version,
        )  # fmt: skip

    def heartbeat(self, reader: str, body: bytes, reply: Reply) -> None:
        """``POST /v1/readers/heartbeat``."""
        if not self.store.up:
            reply(503, b"")
            return
        self._refresh()
        told = {
            "server_time": self.scheduler.now.isoformat(),
            "trust_version": self.newest(ListKind.TRUST).head.version,
            "deny_version": self.newest(ListKind.DENY).head.version,
            "config_version": self.newest(ListKind.CONFIG, reader).head.version,
        }
        reply(200, json.dumps(told).encode())

    def list_body(
        self, kind: ListKind, scope: str, have: int, reply: Callable[[bytes], None]
    ) -> None:
        """``GET /v1/lists/...``: the list as this gateway has it, as a delta where it can; nothing
        where it is what the reader has."""
        self._refresh()
        found = self.newest(kind, scope)
        if found.head.version != have:
            reply(self.office.body(found, have))

    def newest(self, kind: ListKind, scope: str = "") -> SignedList:
        """The list as this gateway serves it."""
        return self.office.newest(kind, scope) if scope else self._lists[kind]

    def _enqueue(self, scan: JudgedScan, told: Callable[[Outcome], None]) -> None:
        if not self._waiting:
            self.scheduler.after(self.chance.uniform(0.001, 0.006), self._commit)
        self._waiting.append((scan, told))

    def _commit(self) -> None:
        group, self._waiting = self._waiting, []
        if not self.store.up:
            return
        outcomes = self.store.append([scan for scan, _ in group])
        for (_, told), outcome in zip(group, outcomes, strict=True):
            told(outcome)

    def _refresh(self) -> tuple[TrustList, DenyTable]:
        """The lists to judge by, looked at anew once in a while."""
        now = self.scheduler.now
        old = self._refreshed_at is None or now - self._refreshed_at >= self.list_lag
        if old:
            self._refreshed_at = now
            trust, deny = self.office.newest(ListKind.TRUST), self.office.newest(ListKind.DENY)
            if self._lists.get(ListKind.TRUST) is not trust:
                self._trust = trust_list_of(trust.head.version, trust.table)
            if self._lists.get(ListKind.DENY) is not deny:
                self._deny = deny_table(deny, self.issuers.values())
            self._lists = {ListKind.TRUST: trust, ListKind.DENY: deny}
            assert self._trust is not None and self._deny is not None
            self._todays = TodaysLists(self._trust, self._deny)
        assert self._trust is not None and self._deny is not None
        return self._trust, self._deny
