"""Enrols everybody of a sandbox in an empty database: wallets, operators, readers, keys, people.

Keys are made at run time and lie in the home folder; tokens are returned once and stored as
hashes only. Doing it again in the same home keeps keys and gives new tokens.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from transitpay.fares.tariff import Tariff
from transitpay.fx.agreement import builtin_agreements
from transitpay.postgres import reference
from transitpay.postgres.reference import (
    Actor,
    Participant,
    PartnerEndpoint,
    PartnerKey,
    ReaderRegistration,
    Role,
)
from transitpay.postgres.trust import lists
from transitpay.ride_code.keys import (
    algorithm_of,
    generate_issuer_key,
    generate_partner_key,
    load_issuer_pem,
    private_pem,
    public_bytes,
    public_pem,
)
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus
from transitpay.runtime.tariff_versions import import_tariffs
from transitpay.sandbox.places import Place
from transitpay.sandbox.wallet.config import WalletConfig, write_config, write_secrets

Connection = Any  # asyncpg has no type information

OUR_KEY_VERSION = 1
WALLET_KEY_VERSION = 1
SERVICE_FEE = Decimal("0.015")
FEE_RATE = "0.006"


@dataclass(frozen=True, slots=True)
class WalletKind:
    """A wallet of the sandbox as it is agreed with."""

    wallet: str
    name: str
    currency: str
    layout: str
    key_id: int
    converts: bool


WALLET_KINDS = (
    WalletKind("alipayhk", "AlipayHK (sandbox)", "HKD", "alipayhk", 101, converts=False),
    WalletKind("alipay", "Alipay (sandbox)", "CNY", "alipay-cn", 102, converts=True),
    WalletKind(
        "shenzhen-tong", "Shenzhen Tong (sandbox)", "CNY", "transitpay", 103, converts=False
    ),
)
OPERATORS = (
    Participant("mtr", "operator", "MTR", "HKD", SERVICE_FEE),
    Participant("kmb", "operator", "KMB", "HKD", SERVICE_FEE),
    Participant("citybus", "operator", "Citybus", "HKD", SERVICE_FEE),
    Participant("nlb", "operator", "New Lantao Bus", "HKD", SERVICE_FEE),
    Participant("shenzhen-metro", "operator", "Shenzhen Metro", "CNY", SERVICE_FEE),
    Participant("shenzhen-bus", "operator", "Shenzhen Bus", "CNY", SERVICE_FEE),
    Participant("guangzhou-bus", "operator", "Guangzhou Bus", "CNY", SERVICE_FEE),
    Participant("zhongshan-bus", "operator", "Zhongshan Bus", "CNY", SERVICE_FEE),
    Participant("foshan-bus", "operator", "Foshan Bus", "CNY", SERVICE_FEE),
)
#: People of the sandbox's console: id -> role.
PEOPLE: Mapping[str, Role] = {
    "sandbox-admin": Role.ADMIN,
    "sandbox-finance": Role.FINANCE,
    "sandbox-auditor": Role.AUDITOR,
}
_ADMIN = Actor("sandbox-admin", "sandbox-admin", Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How a sandbox is laid out: the services' home, the wallets' own folder, addresses, ports.

    The services are told their home and never ``wallets_folder``, where the sealed plans lie.
    """

    home: Path
    wallets_folder: Path
    gateway_url: str
    wallet_ports: Mapping[str, int]
    seed: int
    faults_permille: int
    plants: int | None

    def wallet_folder(self, wallet: str) -> Path:
        """Where a wallet's process keeps what is its own."""
        return self.wallets_folder / wallet

    def wallet_url(self, wallet: str) -> str:
        """Where a wallet listens."""
        return f"http://127.0.0.1:{self.wallet_ports[wallet]}"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Bearer tokens, by reader, by person, and by operator."""

    readers: Mapping[str, str]
    operators: Mapping[str, str]
    people: Mapping[str, str]


async def register(
    conn: Connection,
    sandbox: Sandbox,
    places: Iterable[Place],
    tariffs: Iterable[Tariff],
    at: datetime,
) -> Tokens:
    """Put everybody in, and ``tariffs`` beside those of the package; run as the tables' owner."""
    async with conn.transaction():
        partner_pem = _partner_key(sandbox.home)
        for operator in OPERATORS:
            await reference.put_participant(conn, operator)
        for kind in WALLET_KINDS:
            await _wallet(conn, sandbox, kind, partner_pem, at)
        await reference.put_agreements(conn, builtin_agreements(), at)
        readers = {place.reader: await _reader(conn, place) for place in places}
        people = {}
        for person, role in PEOPLE.items():
            await reference.put_actor(conn, Actor(person, person, role))
            people[person] = await _token(conn, person)
        operators = {it.id: await _operator(conn, it) for it in OPERATORS}
        await import_tariffs(conn, tariffs, _ADMIN, at)
    return Tokens(readers, operators, people)


async def _wallet(
    conn: Connection, sandbox: Sandbox, kind: WalletKind, partner_pem: bytes, at: datetime
) -> None:
    await reference.put_participant(
        conn, Participant(kind.wallet, "wallet", kind.name, kind.currency)
    )
    config = WalletConfig(
        kind.wallet, kind.currency, kind.layout, f"{kind.wallet}-sandbox", WALLET_KEY_VERSION,
        "transitpay-sandbox", sandbox.gateway_url, FEE_RATE, kind.converts, sandbox.seed,
        sandbox.faults_permille, sandbox.plants,
    )  # fmt: skip
    endpoint = PartnerEndpoint(
        kind.wallet, sandbox.wallet_url(kind.wallet), config.client_id, config.partner_id,
        OUR_KEY_VERSION, kind.layout,
    )  # fmt: skip
    await reference.put_endpoint(conn, endpoint)
    key = generate_partner_key()
    pem = public_pem(key).decode()
    await reference.put_partner_key(conn, PartnerKey(kind.wallet, WALLET_KEY_VERSION, pem))
    actor = f"{kind.wallet}-server"
    await reference.put_actor(conn, Actor(actor, kind.name, Role.WALLET, kind.wallet))
    token = await _token(conn, actor)
    folder = sandbox.wallet_folder(kind.wallet)
    write_config(folder, config)
    write_secrets(folder, private_pem(key), {OUR_KEY_VERSION: partner_pem}, token)
    await lists.put_issuer_key(conn, _issuer_key(sandbox.home, kind, at), at)


async def _reader(conn: Connection, place: Place) -> str:
    await reference.put_actor(conn, Actor(place.reader, place.reader, Role.READER, place.operator))
    await reference.put_reader(
        conn,
        ReaderRegistration(
            place.reader, place.operator, place.network, place.destination, place.mode,
            place.stop, place.direction, place.excluded, place.passback_s,
        ),
    )  # fmt: skip
    return await _token(conn, place.reader)


async def _operator(conn: Connection, operator: Participant) -> str:
    """The desk of an operator."""
    desk = Actor(f"{operator.id}-desk", operator.name, Role.OPERATOR, operator.id)
    await reference.put_actor(conn, desk)
    return await _token(conn, desk.id)


async def _token(conn: Connection, actor: str) -> str:
    token = secrets.token_urlsafe(32)
    await reference.put_token(conn, actor, hashlib.sha256(token.encode()).digest())
    return token


def _issuer_key(home: Path, kind: WalletKind, at: datetime) -> IssuerKey:
    """The key with which the gateway signs authorisations for this wallet; marked as a test key."""
    path = home / "keys" / f"issuer-{kind.key_id}.pem"
    if not path.exists():
        _private(path, private_pem(generate_issuer_key()))
    key = load_issuer_pem(path.read_bytes())
    return IssuerKey(
        kind.key_id, algorithm_of(key), public_bytes(key), kind.wallet, 0b11111, 0b1111111,
        at - timedelta(days=30), at + timedelta(days=365), KeyStatus.ACTIVE, True,
    )  # fmt: skip


def _partner_key(home: Path) -> bytes:
    """Our own wire key; its public half is returned."""
    path = home / "keys" / f"partner-{OUR_KEY_VERSION}.pem"
    key = generate_partner_key()
    _private(path, private_pem(key))
    return public_pem(key)


def _private(path: Path, pem: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(pem)
