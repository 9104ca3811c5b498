"""Keeps files for ever under their own digest: written once, synced, read-only.

``<home>/files/sha256/<first two>/<digest>``: the same content is the same file, whoever sent it
and under whatever name.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is safe on disk."""

    path: Path
    sha256: bytes
    size: int


class Incoming:
    """A file while it arrives; nothing remains of it unless ``keep`` was called."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "files"
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix="incoming-")
        self._file: IO[bytes] = os.fdopen(handle, "wb")
        self._path = Path(name)
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Incoming:
        return self

    def write(self, chunk: bytes) -> None:
        """Add bytes at the end."""
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def digest(self) -> bytes:
        """SHA-256 of what has arrived."""
        return self._hash.digest()

    def keep(self) -> Kept:
        """Sync the file, make it read-only, and give it its lasting name."""
        path = stored_path(self._folder.parent, self.digest())
        self._file.flush()
        os.fsync(self._file.fileno())
        os.fchmod(self._file.fileno(), 0o444)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._path, path)
        _sync_folder(path.parent)
        return Kept(path, self.digest(), self.size)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def keep(home: Path, content: bytes) -> Kept:
    """Store content that is already in memory."""
    with Incoming(home) as incoming:
        incoming.write(content)
        return incoming.keep()


def stored_path(home: Path, sha256: bytes) -> Path:
    """Where content of this digest is, or would be."""
    digest = sha256.hex()
    return home / "files" / "sha256" / digest[:2] / digest


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
