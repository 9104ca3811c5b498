"""Reads a folder of published Shenzhen Tong card taps; the key of the hashes is forgotten."""

from __future__ import annotations

import gzip
import secrets
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from transitpay.errors import MalformedInput
from transitpay.sandbox.szt_taps import TapRows, read_taps


def read_folder(folder: Path, on_file: Callable[[str], None] = lambda _: None) -> TapRows:
    """The taps of all CSV files of a folder, gzipped or not; ``on_file`` hears each file's name.

    Raises: MalformedInput (``no_taps_folder``, ``no_taps``, ``bad_taps_file``).
    """
    if not folder.is_dir():
        raise MalformedInput("no_taps_folder", f"there is no folder {folder}", field="--szt")
    paths = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    if not paths:
        raise MalformedInput("no_taps", f"there is no .csv or .csv.gz in {folder}", field="--szt")
    return read_taps(_texts(paths, on_file), secrets.token_bytes(32))


def _texts(paths: list[Path], on_file: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    for path in paths:
        on_file(path.name)
        yield path.name, _text(path)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedInput("bad_taps_file", f"cannot be read: {error}", field=path.name) from None
    # A byte that is no UTF-8 becomes a broken character, and its row is counted as such.
    return content.decode("utf-8", "replace")
