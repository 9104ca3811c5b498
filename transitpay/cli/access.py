"""``transitpay access``: who may call the gateway with which token, and whose keys count."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from transitpay.cli.database import in_transaction
from transitpay.clock import instant_text
from transitpay.destinations import (
    DESTINATIONS,
    MODES,
    bitmap,
    destination_number,
    mode_number,
)
from transitpay.errors import MalformedInput
from transitpay.postgres.gates import reader_keys
from transitpay.postgres.pool import Connection
from transitpay.postgres.reference import (
    Actor,
    Participant,
    PartnerEndpoint,
    PartnerKey,
    ReaderRegistration,
    Role,
)
from transitpay.ride_code.signing import Algorithm
from transitpay.runtime import access as use_cases
from transitpay.runtime.config import Settings
from transitpay.taps import Direction

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_name = click.option("--name", help="For people; the id if not given.")
_new_token = click.option("--new-token", is_flag=True, help="Make one more token.")
_revoke = click.option("--revoke", is_flag=True, help="End all earlier tokens of the actor.")


@click.group()
def access() -> None:
    """Enrol wallets, operators, readers, people, their tokens and keys.

    Every command may be run again: what is there stays, what differs is corrected or refused. A
    token is printed once, when it is made.
    """


@access.command()
@click.argument("id_", metavar="ID")
@_name
@click.option("--currency", default="HKD", show_default=True, help="The wallet's own currency.")
@click.option("--base-url", help="Where the partner is reached.")
@click.option("--client-id", help="The partner's id on what it sends us.")
@click.option("--our-client-id", help="Our id on what we send it.")
@click.option("--our-key-version", type=int, default=1, show_default=True)
@click.option(
    "--file-layout",
    type=click.Choice(["alipayhk", "alipay-cn", "transitpay"]),
    default="transitpay",
    show_default=True,
)
@click.option("--partner-key", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The partner's public key (PEM).")  # fmt: skip
@click.option("--partner-key-version", type=int, default=1, show_default=True)
@_new_token
@_revoke
@_as_json
def wallet(
    id_: str,
    name: str | None,
    currency: str,
    base_url: str | None,
    client_id: str | None,
    our_client_id: str | None,
    our_key_version: int,
    file_layout: str,
    partner_key: Path | None,
    partner_key_version: int,
    new_token: bool,
    revoke: bool,
    as_json: bool,
) -> None:
    """Enrol a wallet with its agreements, its actor wallet:ID and, with --base-url, its partner."""
    if base_url is not None and (client_id is None or our_client_id is None):
        raise MalformedInput(
            "bad_option", "needs --client-id and --our-client-id", field="base-url"
        )
    settings = Settings.from_environment()
    pem = partner_key.read_text(encoding="ascii") if partner_key else None

    async def work(conn: Connection) -> dict[str, object]:
        at = settings.clock().now()
        participant = Participant(id_, "wallet", name or id_, currency)
        await use_cases.enrol_participant(conn, participant, at)
        found: dict[str, object] = {"wallet": id_}
        if base_url is not None:
            endpoint = PartnerEndpoint(
                id_, base_url, client_id or "", our_client_id or "", our_key_version, file_layout
            )
            keys = [PartnerKey(id_, partner_key_version, pem)] if pem else []
            ours = await use_cases.connect_partner(conn, endpoint, keys, settings.home / "keys")
            found["our_public_key_file"] = str(ours)
        actor = Actor(f"wallet:{id_}", name or id_, Role.WALLET, id_)
        return found | await _admit(conn, settings, actor, new_token, revoke)

    _say(in_transaction(settings, work), as_json)


@access.command()
@click.argument("id_", metavar="ID")
@_name
@click.option("--currency", default="HKD", show_default=True)
@click.option(
    "--service-fee-rate", default="0", show_default=True, help="Fraction: 0.015 is 1.5 %."
)
@_new_token
@_revoke
@_as_json
def operator(
    id_: str,
    name: str | None,
    currency: str,
    service_fee_rate: str,
    new_token: bool,
    revoke: bool,
    as_json: bool,
) -> None:
    """Enrol an operator and its actor operator:ID."""
    settings = Settings.from_environment()
    rate = _fraction(service_fee_rate)

    async def work(conn: Connection) -> dict[str, object]:
        participant = Participant(id_, "operator", name or id_, currency, rate)
        await use_cases.enrol_participant(conn, participant, settings.clock().now())
        actor = Actor(f"operator:{id_}", name or id_, Role.OPERATOR, id_)
        admitted = await _admit(conn, settings, actor, new_token, revoke)
        return {"operator": id_, **admitted}

    _say(in_transaction(settings, work), as_json)


@access.command()
@click.argument("id_", metavar="ID")
@click.option("--operator", required=True)
@click.option("--network", help="The operator's id if not given.")
@click.option("--destination", required=True, type=click.Choice(DESTINATIONS))
@click.option("--mode", required=True, type=click.Choice(MODES))
@click.option("--stop", required=True, help="Stop id of the network.")
@click.option("--direction", required=True, type=click.Choice([d.value for d in Direction]))
@click.option("--service-excluded", is_flag=True, help="No ride codes here (e.g. Airport Express).")
@click.option("--passback-s", type=click.IntRange(0, 86400), default=300, show_default=True)
@click.option("--decommission", is_flag=True, help="Out of service from now on.")
@click.option("--allow-new-key", is_flag=True, help="It may enrol one key in place of its own.")
@_new_token
@_revoke
@_as_json
def reader(
    id_: str,
    operator: str,
    network: str | None,
    destination: str,
    mode: str,
    stop: str,
    direction: str,
    service_excluded: bool,
    passback_s: int,
    decommission: bool,
    allow_new_key: bool,
    new_token: bool,
    revoke: bool,
    as_json: bool,
) -> None:
    """Register a reader; its id is its actor's id too."""
    settings = Settings.from_environment()
    at = settings.clock().now()
    registration = ReaderRegistration(
        id_, operator, network or operator, destination_number(destination), mode_number(mode),
        stop, Direction(direction), service_excluded, passback_s, at if decommission else None,
    )  # fmt: skip

    async def work(conn: Connection) -> dict[str, object]:
        made = await use_cases.register_reader(
            conn, registration, at, new_token=new_token, revoke=revoke
        )
        if allow_new_key:
            await reader_keys.allow_new_key(conn, id_, True)
        return {"reader": id_, "actor": made.actor, "token": made.token}

    _say(in_transaction(settings, work), as_json)


@access.command()
@click.argument("id_", metavar="ID")
@click.option("--role", required=True, type=click.Choice([r.value for r in Role]))
@click.option("--participant", help="The wallet or operator for whom the actor acts.")
@_name
@_new_token
@_revoke
@_as_json
def actor(
    id_: str,
    role: str,
    participant: str | None,
    name: str | None,
    new_token: bool,
    revoke: bool,
    as_json: bool,
) -> None:
    """Add a person or a machine with one role."""
    settings = Settings.from_environment()
    it = Actor(id_, name or id_, Role(role), participant)

    async def work(conn: Connection) -> dict[str, object]:
        return await _admit(conn, settings, it, new_token, revoke)

    _say(in_transaction(settings, work), as_json)


@access.command("issuer-key")
@click.argument("key_id", type=click.IntRange(0, 65535))
@click.option("--wallet", required=True)
@click.option("--destinations", default="hong-kong,shenzhen", show_default=True)
@click.option("--modes", default="metro,bus", show_default=True)
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True)
@click.option("--starts-in-hours", type=click.IntRange(0, 8760), default=0, show_default=True,
              help="Until then an older key signs, while readers learn of this one.")  # fmt: skip
@click.option("--algorithm", type=click.Choice([a.value for a in Algorithm]), default="ES256",
              show_default=True)  # fmt: skip
@click.option("--public-key", help="Hex; without it we hold the private key (hosted issuing).")
@click.option("--test", is_flag=True, help="Believed in a sandbox only.")
@_as_json
def issuer_key(
    key_id: int,
    wallet: str,
    destinations: str,
    modes: str,
    days: int,
    starts_in_hours: int,
    algorithm: str,
    public_key: str | None,
    test: bool,
    as_json: bool,
) -> None:
    """Put a wallet's issuer key on the trust list."""
    settings = Settings.from_environment()
    allowed = bitmap(destination_number(name) for name in destinations.split(","))
    kinds = bitmap(mode_number(name) for name in modes.split(","))

    async def work(conn: Connection) -> dict[str, object]:
        key = await use_cases.enrol_issuer_key(
            conn, wallet, key_id, settings.home / "keys", settings.clock().now(),
            destinations=allowed, modes=kinds, days=days,
            starts_in=timedelta(hours=starts_in_hours), algorithm=Algorithm(algorithm),
            test=test, public_key=_hex(public_key),
        )  # fmt: skip
        return {
            "key_id": key.key_id,
            "wallet": key.issuer,
            "public_key_hex": key.public_key.hex(),
            "not_before": instant_text(key.not_before),
            "not_after": instant_text(key.not_after),
        }

    _say(in_transaction(settings, work), as_json)


async def _admit(
    conn: Connection, settings: Settings, actor: Actor, new_token: bool, revoke: bool
) -> dict[str, object]:
    at = settings.clock().now()
    made = await use_cases.admit_actor(conn, actor, at, new_token=new_token, revoke=revoke)
    return {"actor": made.actor, "token": made.token}


def _fraction(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not 0 <= found <= 1:
        raise MalformedInput("bad_option", f"{text!r} is not 0 to 1", field="service-fee-rate")
    return found


def _hex(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise MalformedInput("bad_option", "this is not hex", field="public-key") from None


def _say(found: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        if name == "token":
            value = value or "(the actor has one; --new-token makes another)"
        click.echo(f"{name}: {value}")
