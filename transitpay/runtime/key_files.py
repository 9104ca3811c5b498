"""Key files: root keys and list keys of signed lists, and how any private key is written.

A root key certifies list keys and is kept off every server; a list key signs lists and lies in
``<home>/keys`` of the gateways, beside its certificate.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from transitpay.errors import Conflict, MalformedInput
from transitpay.ride_code.keys import (
    generate_device_key,
    load_device_pem,
    private_pem,
    public_bytes,
)
from transitpay.ride_code.lists.list_signing import certify, kinds_bitmap
from transitpay.ride_code.lists.signed_list import ListCertificate, ListKind

ROOT_NUMBERS = (1, 2)
#: A sandbox certifies its list key for so long, from so long ago.
_SANDBOX_YEARS = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class ListKeyFiles:
    """A list key as files, and its certificate."""

    private_key: Path
    certificate_file: Path
    certificate: ListCertificate


def make_root(folder: Path, number: int) -> Path:
    """Make root key 1 or 2: ``root-<number>.pem``, and its public half for readers, ``.pub``.

    The public file holds the 33 bytes in hexadecimal.

    Raises: Conflict (``key_exists``).
    """
    file = folder / f"root-{number}.pem"
    if file.exists():
        raise Conflict("key_exists", f"{file} is there already", field="number")
    key = generate_device_key()
    write_secret(file, private_pem(key))
    file.with_suffix(".pub").write_text(public_bytes(key).hex() + "\n", encoding="ascii")
    return file


def read_roots(folder: Path) -> Mapping[int, bytes]:
    """Root number -> public key, of the ``root-<number>.pub`` files in a folder.

    Raises: MalformedInput (``bad_root``).
    """
    found = {}
    for number in ROOT_NUMBERS:
        file = folder / f"root-{number}.pub"
        if file.exists():
            found[number] = read_root(file.read_text("ascii", "replace"))
    return found


def read_root(text: str) -> bytes:
    """A root's public key, from 66 hexadecimal digits. Raises: MalformedInput (``bad_root``)."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != 33:
        raise MalformedInput("bad_root", "a root key is 66 hexadecimal digits", field="root")
    return key


def certify_list_key(
    root_file: Path,
    folder: Path,
    key_id: int,
    not_before: datetime,
    not_after: datetime,
    kinds: Iterable[ListKind] = ListKind,
) -> ListKeyFiles:
    """Make a list key in ``folder`` and certify it with a root key (``root-<number>.pem``).

    The certificate is written last: a gateway sees both or nothing.

    Raises: Conflict (``key_exists``), MalformedInput (``bad_root``, ``bad_private_key``).
    """
    number = next((n for n in ROOT_NUMBERS if root_file.name == f"root-{n}.pem"), None)
    if number is None or not root_file.is_file():
        raise MalformedInput("bad_root", f"{root_file} is no file root-1.pem or root-2.pem")
    root = load_device_pem(root_file.read_bytes())
    key_file = folder / f"list-{key_id}.pem"
    certificate_file = folder / f"list-{key_id}.cert"
    if key_file.exists() or certificate_file.exists():
        raise Conflict("key_exists", f"{key_file} is there already", field="key-id")
    key = generate_device_key()
    unsigned = ListCertificate(
        number, kinds_bitmap(kinds), key_id, public_bytes(key), not_before, not_after
    )
    certificate = certify(unsigned, root)
    write_secret(key_file, private_pem(key))
    draft = certificate_file.with_suffix(".draft")
    draft.write_bytes(certificate.encode())
    draft.rename(certificate_file)
    return ListKeyFiles(key_file, certificate_file, certificate)


def ensure_sandbox_list_key(home: Path, at: datetime) -> Mapping[int, bytes]:
    """Roots and a list key for a home that has none; the roots' public keys.

    A sandbox only: here the roots lie on the server that must never have them.
    """
    folder = home / "keys"
    for number in ROOT_NUMBERS:
        with contextlib.suppress(Conflict):
            make_root(folder, number)
    if not any(folder.glob("list-*.cert")):
        begin = at.replace(microsecond=0)
        certify_list_key(
            folder / "root-1.pem", folder, 1, begin - _SANDBOX_YEARS, begin + _SANDBOX_YEARS
        )
    return read_roots(folder)


def write_secret(file: Path, content: bytes) -> None:
    """Whole or not at all, readable by its owner only; who comes second keeps the first's."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(handle)
    with contextlib.suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()
