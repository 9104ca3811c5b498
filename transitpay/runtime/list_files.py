"""The signed lists of a reader as files: mapped into memory, replaced as a whole or not at all.

A new version is streamed into a file beside the old one, written through to the disk, and renamed
over it; whenever the power goes, the next start finds the old list or the new one. A file whose
records or signatures do not hold is as if it were not there.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from transitpay.errors import MalformedInput, TemporarilyUnavailable
from transitpay.ride_code.lists.list_taking import (
    Refused,
    Taken,
    Unchanged,
    Wanted,
    is_genuine,
    take,
)
from transitpay.ride_code.lists.record_table import Bytes
from transitpay.ride_code.lists.signed_list import ListKind, SignedList, scope_of

#: Runs between the changes of a delta are short; the disk is given this much at once.
_WRITE_SIZE = 256 * 1024


class ListFiles:
    """The lists of one reader in a folder of its own. One process uses a folder.

    ``roots`` is root number -> its public key (33 bytes), as the reader has them built in.

    Raises: MalformedInput (``bad_id``) if ``reader`` is no id.
    """

    def __init__(self, folder: Path, reader: str, roots: Mapping[int, bytes]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        scopes = {kind: scope_of() for kind in ListKind} | {ListKind.CONFIG: scope_of(reader)}
        self._wanted = {kind: Wanted(kind, roots, scope) for kind, scope in scopes.items()}
        self._held = {kind: self._load(kind) for kind in ListKind}

    def held(self, kind: ListKind) -> SignedList | None:
        """The list of this kind; its records lie in the mapped file."""
        return self._held[kind]

    def take(
        self, kind: ListKind, received: Bytes, at: datetime, uncertainty_s: int = 0
    ) -> Taken | Unchanged | Refused:
        """Decide on a received list and, where it is newer, keep it and hold it instead.

        What was taken is told with its records as they lie in the new file, so that the old one
        can go.

        Raises: TemporarilyUnavailable (``list_not_kept``) if the disk fails; nothing has changed.
        """
        found = take(received, self._held[kind], self._wanted[kind], at, uncertainty_s)
        if not isinstance(found, Taken):
            return found
        try:
            self._replace(kind, found.chunks())
            kept = SignedList.parse(_mapped(self._path(kind)))
        except OSError as error:
            raise TemporarilyUnavailable(
                "list_not_kept", f"the list cannot be written: {error.strerror or error}"
            ) from error
        self._held[kind] = kept
        return Taken(kept.head, kept.table)

    def _load(self, kind: ListKind) -> SignedList | None:
        try:
            mapped = _mapped(self._path(kind))
            one = SignedList.parse(mapped)
        except (OSError, ValueError, MalformedInput):
            return None
        if not (is_genuine(one.head, self._wanted[kind]) and one.is_sound()):
            return None
        # All of it was read for its digest; few pages of it are read from now on.
        mapped.madvise(mmap.MADV_DONTNEED)
        return one

    def _replace(self, kind: ListKind, chunks: Iterable[Bytes]) -> None:
        beside = self._path(kind).with_suffix(".new")
        with beside.open("wb", buffering=_WRITE_SIZE) as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._path(kind))
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _path(self, kind: ListKind) -> Path:
        return self._folder / f"{kind}.list"


def _mapped(path: Path) -> mmap.mmap:
    """The bytes of a file, mapped read-only for as long as anybody holds a view of them.

    Raises: OSError, ValueError (an empty file).
    """
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
