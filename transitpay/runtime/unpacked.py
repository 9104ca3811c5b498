"""A file's bytes, unpacked where it is gzipped, with a bound on how many they are."""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from pathlib import Path

#: The most bytes that a file may hold, unpacked.
MOST_BYTES = 256 * 2**20


def read_unpacked(path: Path) -> bytes:
    """The content of a file; of one whose name ends in ``.gz``, what is packed in it.

    Raises: OSError, EOFError, zlib.error where it cannot be read, is no file, is cut, or holds
    too much.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        raise OSError("no regular file, whose end nobody knows")
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(f"more than {MOST_BYTES} bytes unpacked")
    return content


def why_unreadable(error: OSError | EOFError | zlib.error) -> str:
    """In words, without the number and the path that the system adds."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
