"""A packed file gives what is in it, up to a bound."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from transitpay.fares.tariff_files import Problem
from transitpay.runtime import unpacked
from transitpay.runtime.tariff_files import read_source
from transitpay.runtime.unpacked import read_unpacked


def test_a_file_is_unpacked_by_its_name(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(b"a,b\n")
    packed.write_bytes(gzip.compress(b"a,b\n"))
    assert read_unpacked(plain) == read_unpacked(packed) == b"a,b\n"


def test_more_than_the_bound_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "MOST_BYTES", 1_000)
    for full, over in (("full.gz", "over.gz"), ("full.csv", "over.csv")):
        pack = gzip.compress if full.endswith(".gz") else bytes
        (tmp_path / full).write_bytes(pack(bytes(1_000)))
        (tmp_path / over).write_bytes(pack(bytes(1_001)))
        assert len(read_unpacked(tmp_path / full)) == 1_000
        with pytest.raises(OSError, match="more than 1000 bytes unpacked"):
            read_unpacked(tmp_path / over)
        assert (
            told(tmp_path / over) == f"{over}, file: cannot be read: more than 1000 bytes unpacked"
        )


def told(path: Path) -> str:
    problems: list[Problem] = []
    assert read_source(path, problems).content == b""
    (problem,) = problems
    return str(problem)


def test_what_is_no_file_is_told_in_words_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    endless = "no regular file, whose end nobody knows"
    for name, why in (
        ("pipe.csv", endless), ("zero.csv", endless), ("folder.csv", "Is a directory"),
        ("gone.csv", "No such file or directory"),
    ):  # fmt: skip
        assert told(tmp_path / name) == f"{name}, file: cannot be read: {why}"


def test_a_cut_archive_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    cut, none = tmp_path / "cut.gz", tmp_path / "none.gz"
    cut.write_bytes(gzip.compress(b"x" * 100)[:-9])
    none.write_bytes(b"PK")
    for path in (cut, none):
        with pytest.raises((OSError, EOFError)):
            read_unpacked(path)
