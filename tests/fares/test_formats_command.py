"""``transitpay tariffs check`` reads the files of every format, known by their names alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tariff_file_samples import PLAIN_TERMS, SAMPLES

from transitpay.cli import cli
from transitpay.fares.tariff_files.formats import FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_the_command_knows_a_format_by_the_names_of_its_files(name: str, tmp_path: Path) -> None:
    job, files = SAMPLES[name]
    words = ["tariffs", "check", "--json", "--valid-from", str(job.valid_from)]
    if job.terms.name == "terms.toml":
        (tmp_path / "terms.toml").write_text(PLAIN_TERMS, "utf-8")
        words += ["--terms", str(tmp_path / "terms.toml")]
    else:
        words += ["--network", job.network]
    if job.gtfs.media is not None:
        words += ["--gtfs", f"media={job.gtfs.media}"]
    for file in files:
        path = tmp_path / file.name
        path.write_bytes(file.content)
        words.append(str(path))
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["problems"] == []
    if name == "boarding-fares":
        assert "joined wrongly" in json.dumps(told["left_out"])


def test_the_command_lists_every_problem_of_a_broken_file_and_fails(tmp_path: Path) -> None:
    broken = tmp_path / "fares.csv"
    broken.write_text("kind,route,amount\nflat,9,x\nflat,,0\nzone,9,1\n", "utf-8")
    terms = tmp_path / "terms.toml"
    terms.write_text(PLAIN_TERMS, "utf-8")
    words = ["tariffs", "check", "--terms", str(terms), "--valid-from", "2026-01-01", str(broken)]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 1
    for line in (2, 3, 4):
        assert f"fares.csv line {line}" in result.output
