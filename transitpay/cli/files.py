"""Files that a command line names: what goes wrong with one is told in one line, by its path."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from transitpay.errors import Conflict, MalformedInput


def read_text(path: Path) -> str:
    """The UTF-8 text of a file.

    Raises: MalformedInput (``unreadable_file``).
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise MalformedInput("unreadable_file", "not UTF-8 text", field=str(path)) from None
    except OSError as error:
        raise MalformedInput("unreadable_file", _why(error), field=str(path)) from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises: MalformedInput (``unreadable_file``).
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedInput("unreadable_file", _why(error), field=str(path)) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file, or leave the one that was there.

    Raises: MalformedInput (``unwritable_file``).
    """
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise MalformedInput("unwritable_file", _why(error), field=str(path)) from None


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not exist yet, and make its folder (0700) if need be.

    Raises: Conflict (``file_exists``), MalformedInput (``unwritable_file``).
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Conflict(
            "file_exists", "exists already and is never overwritten", field=str(path)
        ) from None
    except OSError as error:
        raise MalformedInput("unwritable_file", _why(error), field=str(path)) from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Where the block cannot write, it is told by this path.

    Raises: MalformedInput (``unwritable_file``).
    """
    try:
        yield
    except OSError as error:
        raise MalformedInput("unwritable_file", _why(error), field=str(path)) from None


def _why(error: OSError) -> str:
    return (error.strerror or "cannot be used").lower()
