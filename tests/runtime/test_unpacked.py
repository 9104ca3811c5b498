"""A packed file gives what is in it, up to a bound."""

from __future__ import annotations

import gzip
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
    full, over = tmp_path / "full.gz", tmp_path / "over.gz"
    full.write_bytes(gzip.compress(bytes(1_000)))
    over.write_bytes(gzip.compress(bytes(1_000_000)))
    assert len(read_unpacked(full)) == 1_000
    with pytest.raises(gzip.BadGzipFile, match="more than 1000 bytes unpacked"):
        read_unpacked(over)
    problems: list[Problem] = []
    read_source(over, problems)
    assert "over.gz, file: cannot be read: more than 1000 bytes" in str(problems[0])


def test_a_cut_archive_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    cut, none = tmp_path / "cut.gz", tmp_path / "none.gz"
    cut.write_bytes(gzip.compress(b"x" * 100)[:-9])
    none.write_bytes(b"PK")
    for path in (cut, none):
        with pytest.raises((OSError, EOFError)):
            read_unpacked(path)
