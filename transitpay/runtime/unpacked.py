"""A file's bytes, unpacked where it is gzipped, with a bound on what comes out."""

from __future__ import annotations

import gzip
from pathlib import Path

#: The most bytes that a packed file may hold.
MOST_BYTES = 256 * 2**20


def read_unpacked(path: Path) -> bytes:
    """The content of a file; of one whose name ends in ``.gz``, what is packed in it.

    Raises: OSError, EOFError, zlib.error where it cannot be read, is cut, or holds too much.
    """
    if path.suffix != ".gz":
        return path.read_bytes()
    with gzip.open(path) as packed:
        content = packed.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise gzip.BadGzipFile(f"more than {MOST_BYTES} bytes unpacked")
    return content
