"""Records tariff versions, and makes the book of those that count: behind commands and settlement.

A version that begins after all that is booked counts at once. One that would change what is booked
waits for a second person; then everybody who rode is read again, and corrections follow. While it
waits it can be withdrawn; its name is spent then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from transitpay.errors import Conflict, RuleViolation
from transitpay.fares.calendars import HolidayCalendar
from transitpay.fares.document import document_of, sha256_of, tariff_of
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.postgres import approvals
from transitpay.postgres.approvals import Withdrawal
from transitpay.postgres.journeys import tariff_versions
from transitpay.postgres.journeys.tariff_versions import StoredVersion
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import Actor, Role
from transitpay.postgres.trust import lists
from transitpay.runtime.tariff_beside import owner_of, refuse_unknown
from transitpay.runtime.withdrawing import is_withdrawn, refuse_withdrawn

Key = tuple[str, str]


class Recording(StrEnum):
    """What became of a version."""

    COUNTS = "counts"
    WAITS = "waits"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version and what became of it; ``riders`` are those who are read again because of it."""

    network: str
    version: str
    valid_from: date
    what: Recording
    riders: int = 0


async def import_tariffs(
    conn: Connection, tariffs: Iterable[Tariff], by: Actor, at: datetime
) -> list[Recorded]:
    """Record these versions in one transaction; the same again changes nothing.

    Raises: RuleViolation (``forbidden``), Conflict (``other_content``, ``already_withdrawn``),
    MalformedInput (``bad_tariff_document``) for a tariff that its own document does not give
    again, (``bad_tariff``) for one that names unknown networks or wallets.
    """
    await tariff_versions.lock_for_recording(conn)
    tariffs = list(tariffs)
    await refuse_unknown(conn, tariffs)
    done = [await _import(conn, tariff, by, at) for tariff in tariffs]
    if any(it.what is Recording.COUNTS for it in done):
        await lists.raise_version(conn, "tariffs", at)
    return done


async def _import(conn: Connection, tariff: Tariff, by: Actor, at: datetime) -> Recorded:
    for operator in (tariff.operator, await owner_of(conn, tariff.network)):
        if operator is not None:
            _refuse_stranger(by, operator)
    document = document_of(tariff)
    digest = sha256_of(document)
    tariff_of(document)  # whatever is stored, settlement must be able to read
    network, version, day = tariff.network, tariff.version, tariff.valid_from
    known = await stored_before(conn, tariff)
    if known is not None:
        return Recorded(network, version, day, Recording.WAITS if known.waits else Recording.SAME)
    approval = None
    if await tariff_versions.is_booked_since(conn, network, day):
        approval = await approvals.propose(conn, f"tariff {network} {version}", digest, by.id, at)
    stored = StoredVersion(network, version, day, digest, by.id, at, approval, None)
    await tariff_versions.insert_version(conn, stored, document)
    detail: dict[str, object] = {"valid_from": day.isoformat(), "sha256": digest.hex()}
    await approvals.note(conn, at, by.id, "tariff_imported", f"{network} {version}", detail)
    if approval is not None:
        return Recorded(network, version, day, Recording.WAITS)
    return Recorded(network, version, day, Recording.COUNTS, await _again(conn, network, day, at))


async def stored_before(conn: Connection, tariff: Tariff) -> StoredVersion | None:
    """The version that is this tariff; None = its name is free.

    Raises: Conflict (``other_content``, ``already_withdrawn``).
    """
    found = await tariff_versions.versions(conn, tariff.network, tariff.version)
    if not found:
        return None
    known, digest = found[0], sha256_of(document_of(tariff))
    if known.sha256 != digest:
        raise Conflict(
            "other_content",
            f"{known.version} of {known.network} is stored with other content "
            f"(SHA-256 {known.sha256.hex()[:12]}, not {digest.hex()[:12]}); give this one "
            "a name of its own",
            field="version",
        )
    refuse_withdrawn(known.withdrawn, "version")
    return known


async def confirm_tariff(
    conn: Connection, network: str, version: str, by: Actor, at: datetime
) -> Recorded:
    """A second person lets a version count that changes what is booked; again: no change.

    Raises: RuleViolation (``not_found``, ``forbidden``, ``four_eyes``), Conflict
    (``already_withdrawn``).
    """
    it = await _recorded(conn, network, version, by)
    if it.counts_at is not None:
        return Recorded(network, version, it.valid_from, Recording.SAME)
    refuse_withdrawn(it.withdrawn, "version")
    if it.recorded_by == by.id:
        raise RuleViolation("four_eyes", "nobody approves a proposal of their own", field="by")
    assert it.approval is not None, "what waits has a proposal"
    await approvals.approve(conn, it.approval, by.id, at)
    await approvals.note(conn, at, by.id, "tariff_confirmed", f"{network} {version}", {})
    await lists.raise_version(conn, "tariffs", at)
    riders = await _again(conn, network, it.valid_from, at)
    return Recorded(network, version, it.valid_from, Recording.COUNTS, riders)


async def withdraw_tariff(
    conn: Connection, network: str, version: str, by: Actor, why: str, at: datetime
) -> StoredVersion:
    """Take back a version that waits, so that nobody can confirm it; again: no change.

    Raises: RuleViolation (``not_found``, ``forbidden``), Conflict (``already_approved``,
    ``already_withdrawn``).
    """
    it = await _recorded(conn, network, version, by)
    if is_withdrawn(it.counts_at is not None, it.withdrawn, why, "version"):
        return it
    assert it.approval is not None, "what waits has a proposal"
    withdrawn = Withdrawal(by.id, at, why)
    await approvals.withdraw(conn, it.approval, withdrawn)
    await approvals.note(conn, at, by.id, "tariff_withdrawn", f"{network} {version}", {})
    return replace(it, withdrawn=withdrawn)


async def _recorded(conn: Connection, network: str, version: str, by: Actor) -> StoredVersion:
    """The version as it stands until we end. Raises: ``not_found``, ``forbidden``."""
    await tariff_versions.lock_for_recording(conn)
    known = await tariff_versions.versions(conn, network, version)
    if not known:
        raise RuleViolation("not_found", f"{network} has no version {version}", field="version")
    stored = await tariff_versions.documents(conn, [(network, version)])
    _refuse_stranger(by, tariff_of(stored[network, version]).operator)
    return known[0]


async def register_tariffs(
    conn: Connection, tariffs: Iterable[Tariff], at: datetime
) -> tuple[list[Tariff], list[Tariff]]:
    """(recorded, left out) of what comes with the package or the data folder.

    What is stored under its name stays as it is. What would change journeys that are booked, or
    differs from what is stored, is left out: a person imports it. Raises: as ``import_tariffs``.
    """
    await tariff_versions.lock_for_recording(conn)
    known = {(it.network, it.version): it.sha256 for it in await tariff_versions.versions(conn)}
    recorded: list[Tariff] = []
    left_out: list[Tariff] = []
    for tariff in tariffs:
        document = document_of(tariff)
        digest = sha256_of(document)
        network, day = tariff.network, tariff.valid_from
        stored = known.get((network, tariff.version))
        if stored is not None:
            left_out += [] if stored == digest else [tariff]
        elif await tariff_versions.is_booked_since(conn, network, day):
            left_out.append(tariff)
        else:
            tariff_of(document)
            it = StoredVersion(network, tariff.version, day, digest, None, at, None, None)
            await tariff_versions.insert_version(conn, it, document)
            await _again(conn, network, day, at)
            recorded.append(tariff)
    if recorded:
        await lists.raise_version(conn, "tariffs", at)
    return recorded, left_out


async def _again(conn: Connection, network: str, day: date, at: datetime) -> int:
    riders = await tariff_versions.riders_since(conn, network, day)
    await tariff_versions.read_again(conn, riders, at)
    return len(riders)


def _refuse_stranger(by: Actor, operator: str) -> None:
    if by.role is Role.ADMIN or (by.role is Role.OPERATOR and by.participant == operator):
        return
    raise RuleViolation("forbidden", f"{by.id!r} may not speak for {operator}", field="by")


class StoredTariffs:
    """The book of the versions that count, kept until the list's version rises."""

    def __init__(self, calendars: Iterable[HolidayCalendar] = ()) -> None:
        self._calendars = tuple(calendars)
        self._read: dict[Key, Tariff] = {}
        self._book: tuple[int, TariffBook] | None = None
        self._turn = asyncio.Lock()

    async def newest(self, conn: Connection) -> TariffBook:
        """The book that holds until this transaction ends: nobody records a version before."""
        await tariff_versions.lock_for_pricing(conn)
        version = await tariff_versions.list_version(conn)
        async with self._turn:
            if self._book is None or self._book[0] != version:
                self._book = (version, await self._make(conn))
            return self._book[1]

    async def _make(self, conn: Connection) -> TariffBook:
        counting = counting_at(await tariff_versions.versions(conn))
        wanted = counting.keys() - self._read.keys()
        documents = await tariff_versions.documents(conn, wanted)
        self._read |= await asyncio.to_thread(_read_all, documents)
        tariffs = [
            replace(self._read[key], recorded_at=counts_at) for key, counts_at in counting.items()
        ]
        return TariffBook(tariffs, self._calendars)


def counting_at(versions: Iterable[StoredVersion]) -> Mapping[Key, datetime]:
    """When each version that counts began to; never the same instant for two of a network."""
    counting: dict[Key, datetime] = {}
    last: dict[str, datetime] = {}
    known = [(it.counts_at, it.recorded_at, it.network, it.version) for it in versions
             if it.counts_at is not None]  # fmt: skip
    for counts_at, _, network, version in sorted(known):
        before = last.get(network)
        if before is not None and counts_at <= before:
            counts_at = before + timedelta(microseconds=1)
        counting[network, version] = last[network] = counts_at
    return counting


def _read_all(documents: Mapping[Key, bytes]) -> dict[Key, Tariff]:
    return {key: tariff_of(document) for key, document in documents.items()}
