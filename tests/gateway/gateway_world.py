"""A small world for gateway tests: a wallet, an operator, readers, phones, and the real app."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from gateway.app import SERVICES, build_app
from transitpay.clock import ManualClock
from transitpay.money import HKD
from transitpay.postgres import reference
from transitpay.postgres.reference import Actor, Participant, ReaderRegistration, Role
from transitpay.ride_code import keys, signing
from transitpay.ride_code.layout import Authorisation, RideCode, encode, write_text
from transitpay.ride_code.signing import DevicePrivateKey
from transitpay.runtime import access
from transitpay.runtime.config import Settings
from transitpay.runtime.key_files import ensure_sandbox_list_key, read_roots
from transitpay.taps import Direction

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
WALLET = "alipayhk"
OTHER_WALLET = "shenzhen-tong"

#: id, network, direction of the readers of the world.
READERS = (
    ("mtr-in-1", "mtr", Direction.ENTRY),
    ("mtr-in-2", "mtr", Direction.ENTRY),
    ("mtr-out-1", "mtr", Direction.EXIT),
    ("kmb-bus-1", "kmb", Direction.BOARD),
)
PEOPLE = (
    ("finance", Role.FINANCE, None),
    ("auditor", Role.AUDITOR, None),
    ("admin", Role.ADMIN, None),
    ("operator:mtr", Role.OPERATOR, "mtr"),
    ("operator:kmb", Role.OPERATOR, "kmb"),
    (f"wallet:{WALLET}", Role.WALLET, WALLET),
    (f"wallet:{OTHER_WALLET}", Role.WALLET, OTHER_WALLET),
)


@dataclass
class Phone:
    """A rider's phone with one authorisation; every code has the next counter."""

    authorisation: Authorisation
    issuer_signature: bytes
    device_key: DevicePrivateKey
    counter: int = 0

    def draw(self, at: datetime, *, counter: int | None = None, **changes: Any) -> str:
        if counter is None:
            self.counter += 1
            counter = self.counter
        unsigned = RideCode(
            self.authorisation, self.issuer_signature, int(at.timestamp()), counter,
            changes.pop("destination", 0), changes.pop("slot", 0),
        )  # fmt: skip
        assert not changes
        return write_text(encode(signing.sign_code(unsigned, self.device_key)))


@dataclass
class World:
    """Enrolled once per test; ``tokens`` by actor id, sequences counted per reader."""

    db: Any
    clock: ManualClock
    issuer_keys: dict[int, Any] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    clients: list[TestClient[Any, Any]] = field(default_factory=list)
    starts: dict[str, bytes] = field(default_factory=dict)
    riders: int = 0

    @property
    def settings(self) -> Settings:
        return self.db.settings

    @property
    def key_folder(self) -> Path:
        return self.settings.home / "keys"

    @property
    def list_roots(self) -> Mapping[int, bytes]:
        return read_roots(self.key_folder)

    async def enrol(self) -> None:
        ensure_sandbox_list_key(self.settings.home, self.clock.at)
        conn = await self.db.connect("transitpay_gateway")
        for wallet, unit in ((WALLET, "HKD"), (OTHER_WALLET, "CNY")):
            it = Participant(wallet, "wallet", wallet, unit)
            await access.enrol_participant(conn, it, self.clock.at)
        for operator in ("mtr", "kmb"):
            it = Participant(operator, "operator", operator, "HKD")
            await access.enrol_participant(conn, it, self.clock.at)
        for key_id, wallet in ((1, WALLET), (2, OTHER_WALLET)):
            begin = self.clock.at - timedelta(days=30)
            await access.enrol_issuer_key(
                conn, wallet, key_id, self.key_folder, begin, destinations=3, modes=3, days=365
            )
            pem = (self.key_folder / f"issuer-{key_id}.pem").read_bytes()
            self.issuer_keys[key_id] = keys.load_issuer_pem(pem)
        for reader_id, network, direction in READERS:
            await self.reader(conn, reader_id, network, direction)
        for actor_id, role, participant in PEOPLE:
            made = await access.admit_actor(
                conn, Actor(actor_id, actor_id, role, participant), self.clock.at
            )
            assert made.token is not None
            self.tokens[actor_id] = made.token

    async def reader(
        self, conn: Any, reader_id: str, network: str, direction: Direction, **changes: Any
    ) -> None:
        it = ReaderRegistration(
            reader_id, network, network, 0, 0 if network == "mtr" else 1, "HUH", direction
        )
        made = await access.register_reader(conn, replace(it, **changes), self.clock.at)
        if made.token is not None:
            self.tokens[reader_id] = made.token

    async def start(self, **settings: Any) -> TestClient[Any, Any]:
        """One more gateway on the same database."""
        app = build_app(replace(self.settings, **settings), self.clock)
        client = TestClient(TestServer(app))
        await client.start_server()
        self.clients.append(client)
        services = app[SERVICES]
        await services.lists.refresh()
        await services.places.refresh()
        return client

    async def close(self) -> None:
        for client in self.clients:
            await client.close()

    def phone(self, *, key_id: int = 1, serial: int = 1, **changes: Any) -> Phone:
        self.riders += 1
        device = keys.generate_device_key()
        it = Authorisation(
            key_id=key_id,
            rider_id=hashlib.sha256(str(self.riders).encode()).hexdigest()[:16],
            serial=serial,
            device_key=keys.public_bytes(device),
            not_before=int(self.clock.at.timestamp()) - 24 * 3600,
            life_h=72,
            code_life_s=60,
            ceiling_major=500,
            ceiling_currency=HKD,
            destinations=3,
            modes=3,
            rider_class=0,
            max_companions=2,
            quota=2000,
        )
        it = replace(it, **changes)
        issuer = self.issuer_keys.get(key_id) or next(iter(self.issuer_keys.values()))
        return Phone(it, signing.sign_authorisation(it, issuer), device)

    def auth(self, actor: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[actor]}"}

    def scan(
        self, reader: str, code: str, *, at: datetime | None = None, **fields: Any
    ) -> dict[str, Any]:
        """The body of a tap; the reader's next sequence unless one is given."""
        if "sequence" not in fields:
            self.sequences[reader] = self.sequences.get(reader, 0) + 1
            fields["sequence"] = self.sequences[reader]
        return {"at": (at or self.clock.at).isoformat(), "code": code, **fields}

    async def tap(
        self, client: TestClient[Any, Any], reader: str, body: dict[str, Any], status: int = 200
    ) -> dict[str, Any]:
        async with client.post("/v1/taps", json=body, headers=self.auth(reader)) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == status, found
            return found

    async def batch(
        self, client: TestClient[Any, Any], reader: str, records: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        body = {
            "records": records,
            "through_at": self.clock.at.isoformat(),
            "last_sequence": max((r["sequence"] for r in records), default=0),
        }
        async with client.post("/v1/taps/batch", json=body, headers=self.auth(reader)) as answer:
            found = await answer.json()
            assert answer.status == 200, found
            results: list[dict[str, Any]] = found["results"]
            return results

    async def rows(self, query: str, *args: Any) -> list[Any]:
        conn = await self.db.connect()
        return list(await conn.fetch(query, *args))

    async def value(self, query: str, *args: Any) -> Any:
        conn = await self.db.connect()
        return await conn.fetchval(query, *args)


__all__ = ["AT", "OTHER_WALLET", "PEOPLE", "READERS", "WALLET", "Phone", "World", "reference"]
