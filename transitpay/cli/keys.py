"""``transitpay keys``: makes keys of issuers, devices, partners and lists in a folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from transitpay.cli import issuer_keys
from transitpay.cli.files import read_text, write_bytes, write_new, writing
from transitpay.destinations import (
    DESTINATIONS,
    MODES,
    bitmap,
    destination_number,
    mode_number,
)
from transitpay.errors import Conflict
from transitpay.ride_code import keys as ride_keys
from transitpay.ride_code.jsonfields import write_instant
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.runtime.config import Settings
from transitpay.runtime.key_files import certify_list_key, make_root

TRUST_LIST = "trust-list.json"
_out = click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder."
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def keys() -> None:
    """Make keys and lead issuer keys through their life.

    Private keys are written with mode 0600 and never over another key.
    """


for _command in issuer_keys.COMMANDS:
    keys.add_command(_command)


@keys.command()
@_out
@click.option("--key-id", type=click.IntRange(0, 65535), default=1, show_default=True)
@click.option("--issuer", required=True, help="Wallet id: alipayhk, alipay, shenzhen-tong.")
@click.option(
    "--algorithm",
    type=click.Choice([Algorithm.ES256.value, Algorithm.ED25519.value]),
    default="ES256",
    show_default=True,
)
@click.option(
    "--destination", "destinations", multiple=True, type=click.Choice(DESTINATIONS),
    help="Where its codes may be used; repeatable. [all]",
)  # fmt: skip
@click.option(
    "--mode", "modes", multiple=True, type=click.Choice(MODES),
    help="In what its codes may be used; repeatable. [metro, bus]",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True)
@click.option("--test", is_flag=True, help="Mark it as a test key, which no real gate believes.")
@_as_json
def issuer(
    out: Path,
    key_id: int,
    issuer: str,
    algorithm: str,
    destinations: tuple[str, ...],
    modes: tuple[str, ...],
    days: int,
    test: bool,
    as_json: bool,
) -> None:
    """Make an issuer key and add its record to trust-list.json of the same folder."""
    target = out / TRUST_LIST
    known = TrustList.of(0, [])
    if target.exists():
        known = TrustList.from_json(read_text(target))
    if key_id in known.keys:
        raise Conflict("key_exists", f"{target} has a key {key_id} already", field="key-id")
    private = ride_keys.generate_issuer_key(Algorithm(algorithm))
    now = Settings.from_environment().clock().now().replace(microsecond=0)
    record = IssuerKey(
        key_id=key_id,
        algorithm=Algorithm(algorithm),
        public_key=ride_keys.public_bytes(private),
        issuer=issuer,
        destinations=bitmap(map(destination_number, destinations or DESTINATIONS)),
        modes=bitmap(map(mode_number, modes or ("metro", "bus"))),
        not_before=now,
        not_after=now + timedelta(days=days),
        test=test,
    )
    files = _write_pair(out, f"issuer-{key_id}", private)
    longer = TrustList.of(known.version + 1, [*known.keys.values(), record])
    write_bytes(target, longer.to_json().encode())
    _say({**files, "trust_list": str(target), "version": longer.version}, as_json)


@keys.command()
@_out
@click.option("--name", default="device", show_default=True, help="File name without ending.")
@_as_json
def device(out: Path, name: str, as_json: bool) -> None:
    """Make a device key (P-256), as a phone makes one for each authorisation."""
    private = ride_keys.generate_device_key()
    told = _write_pair(out, _plain(name), private)
    _say({**told, "device_key": ride_keys.public_bytes(private).hex()}, as_json)


@keys.command()
@_out
@click.option("--name", default="partner", show_default=True, help="File name without ending.")
@_as_json
def partner(out: Path, name: str, as_json: bool) -> None:
    """Make a partner key (RSA-2048) for the wallet wire protocol."""
    _say(_write_pair(out, _plain(name), ride_keys.generate_partner_key()), as_json)


@keys.command()
@_out
@click.option("--number", type=click.IntRange(1, 2), required=True, help="1 or 2.")
@_as_json
def root(out: Path, number: int, as_json: bool) -> None:
    """Make a root key of the readers' lists, offline; root-N.pub is built into every reader."""
    with writing(out):
        file = make_root(out, number)
    public = file.with_suffix(".pub")
    root_key = read_text(public).strip()
    _say({"private_key": str(file), "public_key": str(public), "root_key": root_key}, as_json)


@keys.command("certify-list")
@click.option(
    "--root", "root_file", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="The root's private key, root-1.pem or root-2.pem.",
)  # fmt: skip
@_out
@click.option(
    "--key-id",
    type=click.IntRange(1, 65535),
    required=True,
    help="Higher than any list key before.",
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice([str(k) for k in ListKind]),
    help="What it may sign; repeatable. [all]")  # fmt: skip
@click.option("--begins", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="[now]")
@click.option("--days", type=click.IntRange(1, 3650), default=400, show_default=True)
@_as_json
def certify_list(
    root_file: Path,
    out: Path,
    key_id: int,
    kinds: tuple[str, ...],
    begins: datetime | None,
    days: int,
    as_json: bool,
) -> None:
    """Make a list key and certify it; both files go to `keys` in the home of every gateway."""
    now = Settings.from_environment().clock().now().replace(microsecond=0)
    begin = now if begins is None else begins.replace(tzinfo=UTC)
    may_sign = [ListKind(kind) for kind in kinds] or list(ListKind)
    with writing(out):
        made = certify_list_key(root_file, out, key_id, begin, begin + timedelta(days), may_sign)
    told = {"private_key": str(made.private_key), "certificate": str(made.certificate_file)}
    _say({**told, "not_after": write_instant(made.certificate.not_after)}, as_json)


def _plain(name: str) -> str:
    if not name or Path(name).name != name or name.startswith("."):
        raise click.BadParameter("a file name without folder and ending", param_hint="--name")
    return name


def _write_pair(out: Path, name: str, private: ride_keys.PrivateKey) -> dict[str, object]:
    """Write <name>.pem (0600) and <name>.pub.pem; nothing is ever overwritten."""
    secret, public = out / f"{name}.pem", out / f"{name}.pub.pem"
    write_new(secret, ride_keys.private_pem(private), 0o600)
    write_new(public, ride_keys.public_pem(private), 0o644)
    return {"private_key": str(secret), "public_key": str(public)}


def _say(told: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told))
        return
    for name, value in told.items():
        click.echo(f"{name.replace('_', ' ')}: {value}")
