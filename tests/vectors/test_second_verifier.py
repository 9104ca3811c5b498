"""Another verifier, in another language and written against the page, agrees on every vector."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from transitpay.cli.vectors import vectors


def test_the_verifier_on_node_agrees_on_every_vector(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the second verifier cannot run")
    script = Path(__file__).parent / "second_verifier.mjs"
    shipped = Path(__file__).parents[2] / "transitpay/ride_code/vectors/ride-code-v1.json"
    ran = subprocess.run(
        [node, str(script), str(shipped)], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    answers = tmp_path / "answers.json"
    answers.write_text(ran.stdout, encoding="utf-8")
    told = CliRunner().invoke(vectors, ["check", "--answers", str(answers), "--json"])
    assert told.exit_code == 0, told.output
    assert len(json.loads(ran.stdout)) == len(json.loads(shipped.read_text())["vectors"])
