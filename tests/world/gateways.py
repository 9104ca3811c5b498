"""A gateway of the world: production's judging and decision over the shared tap log in memory.

There are several, each with its own, slightly old view of the lists and its own group under way.
What reaches them comes over links; what they answer may never arrive.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.judging import Judging
from gateway.places import Places
from gateway.reader_api import tap_answer
from gateway.scans import JudgedScan, Outcome, Stored
from gateway.tap_models import BatchRecord, TapRequest
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code import record_bytes
from transitpay.ride_code.deny_list import DenyTable
from transitpay.ride_code.record import Decision, ScanRecord
from transitpay.ride_code.sealed_batch import parse_batch
from transitpay.ride_code.signed_list import ListKind, SignedList
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.trust_records import trust_list_of

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
    #: Reader -> position -> record, as sealed batches brought them.
    records: dict[str, dict[int, bytes]] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether it takes transactions."""
        return self.outages == 0

    def acknowledged(self, reader: str) -> int:
        """Every record of the reader up to this position is here."""
        known = self.records.get(reader, {})
        position = 0
        while position + 1 in known:
            position += 1
        return position


@dataclass(slots=True)
class _KnownPlaces:
    """What a gateway knows of stops, without a database to poll."""

    current: Places = field(default_factory=Places)


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
        batch = parse_batch(body)
        assert batch.head.reader == reader and batch.chain_holds()
        trust, deny = self._refresh()
        found = [record_bytes.parse(it) for it in batch.records]
        scans = [it for it in found if isinstance(it, ScanRecord)]
        judged = [
            self.judging.uploaded(
                _uploaded(it), self.readers[reader], trust, deny, self.scheduler.now
            )
            for it in scans
        ]
        self.store.log.append(judged)
        known = self.store.records.setdefault(reader, {})
        known.update(zip((it.position for it in found), batch.records, strict=True))
        self.witness.acknowledged |= {(reader, it.sequence) for it in scans}
        reply(self.store.acknowledged(reader))

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
        outcomes = self.store.log.append([scan for scan, _ in group])
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
        return self._trust, self._deny


def _uploaded(it: ScanRecord) -> BatchRecord:
    """A record as the upload takes it."""
    return BatchRecord.model_construct(
        sequence=it.sequence, at=it.at, code=it.code.decode(), direction=it.direction,
        stop=it.place.stop, route=it.place.route, vehicle=it.place.vehicle,
        stage_fare_minor=it.stage_fare_minor, uncertainty_s=it.uncertainty_s,
        opened=it.decision is Decision.ACCEPTED,
        reader_reason=it.reason.value if it.reason else None,
    )  # fmt: skip
