"""``transitpay lists``: shows what a signed list says, and whether a reader would take it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from transitpay.cli.files import read_bytes
from transitpay.errors import MalformedInput
from transitpay.ride_code.id_field import read_id
from transitpay.ride_code.jsonfields import write_instant
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.list_taking import Refused, Taken, Wanted, take
from transitpay.ride_code.lists.record_table import PUT, RecordTable
from transitpay.ride_code.lists.signed_list import (
    CERTIFICATE_LENGTH,
    Delta,
    ListCertificate,
    ListHead,
    ListKind,
    SignedList,
    scope_of,
)
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.runtime.config import Settings
from transitpay.runtime.key_files import read_roots

_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
Told = dict[str, object]


@click.group()
def lists() -> None:
    """Signed lists of readers (trust, deny, config): what they say, whether they hold."""


@lists.command()
@_file
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True,
    help="So many entries at most.")  # fmt: skip
@_as_json
def show(file: Path, limit: int, as_json: bool) -> None:
    """Say in plain words what a list, a delta or a certificate of a list key holds.

    Nothing is believed here: signatures are looked at by `lists check`.
    """
    data = read_bytes(file)
    if len(data) == CERTIFICATE_LENGTH:
        _print(_certificate(ListCertificate.parse(data)), [], as_json)
        return
    one = Delta.parse(data) if data[:4] == b"TPD1" else SignedList.parse(data)
    told = _head(one.head)
    if isinstance(one, Delta):
        told |= {"form": "delta", "base": one.base, "changes": len(one.changes)}
        entries = _changes(one, limit)
    else:
        told |= {"form": "whole", "sound": one.is_sound()}
        entries = _entries(one.head, one.table, limit)
    _print(told, list(entries), as_json)


@lists.command()
@_file
@click.option(
    "--roots", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with root-1.pub, root-2.pub; a root that is not there is not believed.",
)  # fmt: skip
@click.option(
    "--held", type=click.Path(dir_okay=False, path_type=Path),
    help="The list (whole) that the reader holds; needed for a delta.",
)  # fmt: skip
@click.option("--kind", type=click.Choice([str(k) for k in ListKind]), help="[the file's own]")
@click.option("--reader", default="", help="Whose config it should be.")
@_as_json
def check(
    file: Path, roots: Path, held: Path | None, kind: str | None, reader: str, as_json: bool
) -> None:
    """Say what a reader with these roots would do with a list now.

    Exit code 0: taken or unchanged; 1: refused, with the reason of the reader protocol.
    """
    data = read_bytes(file)
    known = SignedList.parse(read_bytes(held)) if held else None
    wanted = Wanted(_kind(data, kind), read_roots(roots), scope_of(reader))
    found = take(data, known, wanted, Settings.from_environment().clock().now())
    match found:
        case Refused(reason):
            told: Told = {"verdict": "refused", "reason": str(reason)}
        case Taken(head):
            told = {"verdict": "taken", "version": head.version, "entries": head.count}
        case _:
            told = {"verdict": "unchanged"}
    _print(told, [], as_json)
    if isinstance(found, Refused):
        raise SystemExit(1)


def _kind(data: bytes, asked: str | None) -> ListKind:
    """The kind that is wanted; where nobody said, that of the file. What cannot be read is refused
    as such whatever is wanted."""
    if asked is not None:
        return ListKind(asked)
    try:
        one = Delta.parse(data) if data[:4] == b"TPD1" else SignedList.parse(data)
    except MalformedInput:
        return ListKind.TRUST
    return one.head.kind


def _head(head: ListHead) -> Told:
    try:
        reader = read_id(head.scope) if any(head.scope) else None
    except MalformedInput:
        reader = head.scope.hex()
    return {
        "list": str(head.kind), "reader": reader, "version": head.version,
        "issued_at": write_instant(head.issued_at), "use_by": write_instant(head.use_by),
        "stale": head.is_stale(_now()), "entries": head.count, "sha256": head.digest.hex(),
        **{f"list_key_{name}" if name == "id" else name: value
           for name, value in _certificate(head.certificate).items()},
    }  # fmt: skip


def _certificate(it: ListCertificate) -> Told:
    return {
        "id": it.key_id,
        "list_key": it.public_key.hex(),
        "certified_by_root": it.root,
        "may_sign": [str(kind) for kind in ListKind if it.may_sign(kind)],
        "certified_from": write_instant(it.not_before),
        "certified_until": write_instant(it.not_after),
    }


def _now() -> datetime:
    return Settings.from_environment().clock().now()


def _changes(delta: Delta, limit: int) -> Iterator[Told]:
    for change in list(delta.changes)[:limit]:
        table = delta.head.kind.table(change[1:])
        key = bytes(change[1 : 1 + table.key_size])
        if change[0] == PUT:
            yield from ({"change": "put", **told} for told in _entries(delta.head, table, 1))
        else:
            yield {"change": "remove", "key": key.hex()}


def _entries(head: ListHead, table: RecordTable, limit: int) -> Iterator[Told]:
    match head.kind:
        case ListKind.TRUST:
            keys = trust_list_of(head.version, table).to_object()["keys"]
            assert isinstance(keys, list), "a trust list has keys"
            yield from keys[:limit]
        case ListKind.DENY:
            for _, record in zip(range(limit), table, strict=False):
                issuer, rider, serial = record[:2], record[2:10], record[10:]
                yield {
                    "issuer_number": int.from_bytes(issuer, "big"),
                    "rider_id": bytes(rider).hex(),
                    "denied_through_serial": int.from_bytes(serial, "big"),
                }
        case ListKind.CONFIG:
            for name, value in list(config_values(table).items())[:limit]:
                yield {"name": name, "value": value}


def _print(told: Told, entries: list[Told], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**told, "shown": entries} if entries else told))
        return
    for name, value in told.items():
        text = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name.replace('_', ' ')}: {'-' if text is None else text}")
    if entries:
        table = Table(*entries[0])
        for entry in entries:
            table.add_row(*(str(entry.get(name, "")) for name in entries[0]))
        Console().print(table)
