"""``transitpay keys``: the life of issuer keys on the trust list, from proposal to compromise."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from transitpay.cli.database import in_transaction, with_connection
from transitpay.clock import instant_text
from transitpay.destinations import DESTINATIONS, MODES
from transitpay.postgres.pool import Connection
from transitpay.postgres.trust import issuer_keys as requests
from transitpay.postgres.trust import lists
from transitpay.ride_code.trust_list import IssuerKey
from transitpay.runtime import issuer_keys as use_cases
from transitpay.runtime.config import Settings
from transitpay.runtime.reissue import Reissued, reissue_all

_key_id = click.argument("key_id", type=click.IntRange(0, 65535))
_by = click.option("--by", required=True, help="The admin who decides it.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command("list")
@click.option("--wallet", help="Only this wallet's.")
@_as_json
def list_(wallet: str | None, as_json: bool) -> None:
    """Show the issuer keys of the trust list, and those that wallets propose."""
    settings = Settings.from_environment()

    async def work(conn: Connection) -> list[dict[str, object]]:
        keys = (await lists.trust_list(conn)).keys
        found = [_object(key) for key in keys.values()]
        for it in await requests.requests_of(conn, wallet):
            if it.key_id not in keys:
                asked = {
                    "key_id": it.key_id,
                    "wallet": it.issuer,
                    "status": "proposed",
                    "destinations": _names(DESTINATIONS, it.destinations),
                    "modes": _names(MODES, it.modes),
                }
                found.append(asked)
        return [row for row in found if wallet in (None, row["wallet"])]

    rows = in_transaction(settings, work)
    if as_json:
        click.echo(json.dumps({"keys": rows}))
        return
    for row in rows:
        click.echo("  ".join(f"{name}={value}" for name, value in row.items()))


@click.command()
@_key_id
@_by
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True)
@click.option("--test", is_flag=True, help="Believed in a sandbox only.")
@_as_json
def activate(key_id: int, by: str, days: int, test: bool, as_json: bool) -> None:
    """Put a key that a wallet proposed on the trust list; nobody approves a key of their own."""
    settings = Settings.from_environment()

    async def work(conn: Connection) -> IssuerKey:
        at = settings.clock().now()
        return await use_cases.activate_key(conn, key_id, by, at, days, test=test)

    _say(_object(in_transaction(settings, work)), as_json)


@click.command()
@_key_id
@_by
@_as_json
def retire(key_id: int, by: str, as_json: bool) -> None:
    """Sign nothing more with a key; gates take it until what it signed has ended."""
    settings = Settings.from_environment()

    async def work(conn: Connection) -> IssuerKey:
        return await use_cases.retire_key(conn, key_id, by, settings.clock().now())

    _say(_object(in_transaction(settings, work)), as_json)


@click.command()
@_key_id
@_by
@_as_json
def compromise(key_id: int, by: str, as_json: bool) -> None:
    """Withdraw a key: no entry takes it as soon as the trust list has arrived there.

    Then put a new key of the wallet on the list and run `transitpay keys reissue`.
    """
    settings = Settings.from_environment()

    async def work(conn: Connection) -> IssuerKey:
        return await use_cases.compromise_key(conn, key_id, by, settings.clock().now())

    _say(_object(in_transaction(settings, work)), as_json)


@click.command()
@_key_id
@_as_json
def reissue(key_id: int, as_json: bool) -> None:
    """Sign again, with the wallet's newest key, what a compromised key had signed.

    For the same devices, with the next serials; wallets fetch them. It may be broken off and run
    again at any time: twice is once.
    """
    settings = Settings.from_environment()
    progress = Progress(
        TextColumn("riders"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), disable=as_json,
    )  # fmt: skip

    async def work(conn: Connection) -> Reissued:
        bar = progress.add_task("riders")

        def told(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        folder, at = settings.home / "keys", settings.clock().now()
        return await reissue_all(conn, key_id, folder, at, told)

    with progress:
        found = with_connection(settings, work)
    _say(
        {
            "old_key": found.old_key,
            "new_key": found.new_key,
            "riders": found.riders,
            "authorisations": found.authorisations,
            "left_out": found.left_out,
        },
        as_json,
    )


COMMANDS = (list_, activate, retire, compromise, reissue)


def _object(it: IssuerKey) -> dict[str, object]:
    return {
        "key_id": it.key_id,
        "wallet": it.issuer,
        "status": it.status.value,
        "destinations": _names(DESTINATIONS, it.destinations),
        "modes": _names(MODES, it.modes),
        "not_before": instant_text(it.not_before),
        "not_after": instant_text(it.not_after),
        "compromised_at": instant_text(it.compromised_at),
    }


def _names(names: tuple[str, ...], bits: int) -> str:
    return ",".join(name for n, name in enumerate(names) if bits >> n & 1)


def _say(found: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name}: {value}")
