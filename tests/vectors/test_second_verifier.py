"""Another implementation, in another language and written against the pages, agrees on everything.

It is ``second_verifier.mjs``; whatever is asked of it is judged in one process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import mutants
import pytest
from click.testing import CliRunner
from luck import seeds

from transitpay.cli.vectors import SETS, vectors
from transitpay.ride_code.golden import protocol as protocol_vectors
from transitpay.ride_code.golden import ride_codes as golden

HERE = Path(__file__).parent
#: Seeds of the mutations; one with which the two disagreed stays here for good.
SEEDS = [*seeds(20260701), *(pytest.param(seed, marks=pytest.mark.heavy) for seed in range(1, 10))]


def second(file: Path) -> dict[str, Any]:
    """The answers of the second implementation to all vectors of a file."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the second verifier cannot run")
    ran = subprocess.run(
        [node, str(HERE / "second_verifier.mjs"), str(file)], capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("of", ["ride-code", "reader-protocol"])
def test_the_second_implementation_gives_every_frozen_answer_in_full(
    tmp_path: Path, of: str
) -> None:
    text = SETS[of]()
    (tmp_path / "vectors.json").write_text(text, encoding="utf-8")
    given = second(tmp_path / "vectors.json")
    expected = {vector["name"]: vector["expect"] for vector in json.loads(text)["vectors"]}
    if of == "ride-code":  # who rides is told by ours alone
        names = ("verdict", "reason", "flags")
        expected = {name: {n: it[n] for n in names} for name, it in expected.items()}
    assert given == expected
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(given), encoding="utf-8")
    ran = CliRunner().invoke(vectors, ["check", "--set", of, "--answers", str(answers)])
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_thousand_mutated_codes_are_judged_alike(tmp_path: Path, seed: int) -> None:
    text = mutants.ride_codes(seed, 10_000)
    (tmp_path / "codes.json").write_text(text, encoding="utf-8")
    known = golden.read_vectors(text)
    ours = {v.name: golden.describe(golden.judge_vector(v)) for v in known}
    theirs = second(tmp_path / "codes.json")
    told = ("verdict", "reason", "flags")
    differing = [v for v in known if any(ours[v.name][n] != theirs[v.name][n] for n in told)]
    assert [(v.name, v.text, ours[v.name], theirs[v.name]) for v in differing[:3]] == []
    met = Counter(str(it["reason"] or "accepted") for it in ours.values())
    assert len(ours) == 10_000 and met["accepted"] > 500
    assert {
        v.expected.reason or "accepted" for v in golden.read_vectors(golden.shipped_text())
    } <= {*met}
    assert sum(bool(it["flags"]) for it in ours.values()) > 100


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_lists_records_batches_and_rows_of_scans_are_answered_alike(
    tmp_path: Path, seed: int
) -> None:
    text = mutants.protocol(seed, lists=2500, records=2500, batches=1500, rows=800)
    (tmp_path / "bytes.json").write_text(text, encoding="utf-8")
    file = protocol_vectors.read_vectors(text)
    ours = {v.name: protocol_vectors.answer(v, file) for v in file.vectors}
    theirs = second(tmp_path / "bytes.json")
    differing = [v for v in file.vectors if ours[v.name] != theirs[v.name]]
    assert [(v.source, ours[v.name], theirs[v.name]) for v in differing[:3]] == []
    met = Counter(str(it.get("reason") or it["answer"]) for it in ours.values())
    assert met["taken"] > 100 and met["read"] > 100 and met["opened"] > 10
    shipped = protocol_vectors.read_vectors(protocol_vectors.shipped_text())
    rows = [it["decisions"] for it in ours.values() if it["answer"] == "decided"]
    decided = Counter(str(one["reason"]) for row in rows for one in row)  # type: ignore[attr-defined] # a list
    assert {"None", "replay", "passback", "already_answered", "list_stale"} <= {*decided}
    reasons = {v.expected["reason"] for v in shipped.vectors if v.expected["answer"] == "refused"}
    assert reasons <= {*met}
