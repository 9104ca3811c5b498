"""The frozen vectors of the reader protocol: answered as written, complete, made again the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from transitpay.cli.vectors import vectors as command
from transitpay.errors import MalformedInput
from transitpay.ride_code.golden import protocol as protocol_vectors
from transitpay.ride_code.golden.protocol import ProtocolVector
from transitpay.ride_code.lists.list_taking import ListRefusal
from transitpay.ride_code.reasons import NUMBERS

TEXT = protocol_vectors.shipped_text()
FILE = protocol_vectors.read_vectors(TEXT)
GENERATOR = Path(__file__).parents[1] / "vectors" / "make_reader_protocol_vectors.py"
RIGHT = {vector.name: dict(vector.expected) for vector in FILE.vectors}


@pytest.mark.parametrize("vector", FILE.vectors, ids=lambda v: v.name)
def test_our_answer_is_the_frozen_one(vector: ProtocolVector) -> None:
    assert protocol_vectors.answer(vector, FILE) == vector.expected


def test_the_generator_writes_the_frozen_bytes() -> None:
    program = "import make_reader_protocol_vectors as m, sys; sys.stdout.write(m.build())"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=GENERATOR.parent, capture_output=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.decode() == TEXT


def test_every_refusal_every_kind_of_list_and_every_type_of_record_has_a_vector() -> None:
    reasons = {str(told.get("reason")) for told in RIGHT.values()}
    assert {*map(str, ListRefusal)} < reasons
    assert {
        "bad_record", "batch_unreadable", "too_many_records", "batch_of_other_reader",
        "unknown_reader_key", "reader_key_retired", "bad_batch_signature", "broken_batch_chain",
    } < reasons  # fmt: skip
    read = [told for told in RIGHT.values() if told["answer"] == "read"]
    assert {told["type"] for told in read} == {"scan", "outcome", "boot", "event"}
    taken = {v.source["asked_kind"] for v in FILE.vectors if v.expected["answer"] == "taken"}
    assert taken == {1, 2, 3}
    deltas = [v for v in FILE.vectors if str(v.source.get("hex", "")).startswith("54504431")]
    assert {v.expected["answer"] for v in deltas} == {"taken", "unchanged", "refused"}


def test_every_reason_number_has_a_record() -> None:
    told = {v.source["name"]: v.expected for v in FILE.vectors}
    for reason, number in NUMBERS.items():
        assert told[f"record-reason-{number}"]["reason"] == str(reason)
        assert told[f"record-reason-{number}"]["flags"] == [str(reason)]


def test_every_key_of_the_file_is_marked_test_only() -> None:
    source = json.loads(TEXT)
    assert "TEST ONLY" in source["warning"]
    assert all(name.endswith("TEST ONLY") for name in source["test_only_private_keys"])


def test_a_wrong_and_a_missing_answer_are_differences_and_what_is_left_out_is_none() -> None:
    brief = {
        name: {k: v for k, v in told.items() if k in ("answer", "reason")}
        for name, told in RIGHT.items()
    }
    assert protocol_vectors.compare(FILE, brief) == []
    first, second, third = (vector.name for vector in FILE.vectors[:3])
    wrong = {**RIGHT, first: {"answer": "unchanged"}, third: {**RIGHT[third], "version": 99}}
    del wrong[second]
    found = protocol_vectors.compare(FILE, wrong)
    assert [one.name for one in found] == [first, second, third]
    assert found[1].given is None and found[0].given is not None


def test_a_refusal_without_its_reason_is_a_difference() -> None:
    name = next(n for n, told in RIGHT.items() if told["answer"] == "refused")
    assert len(protocol_vectors.compare(FILE, {**RIGHT, name: {"answer": "refused"}})) == 1


def test_an_answer_to_no_vector_is_refused() -> None:
    with pytest.raises(MalformedInput) as caught:
        protocol_vectors.compare(FILE, {"no-such": {"answer": "read"}})
    assert caught.value.code == "unknown_vector"


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', '{"a": {}}', '{"a": {"answer": 1}}'])
def test_a_malformed_answer_is_refused(text: str) -> None:
    with pytest.raises(MalformedInput):
        protocol_vectors.read_answers(text)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("format",), "x/2", "format"),
        (("vectors",), [], "vectors"),
        (("vectors", 0, "kind"), "tree", "vectors[0].kind"),
        (("vectors", 0, "expect"), None, "vectors[0].expect"),
        (("vectors", 1, "name"), FILE.vectors[0].name, "vectors"),
        (("readers",), None, "readers"),
        (("roots", "1"), "zz", "roots.1"),
    ],
)
def test_a_malformed_vector_file_is_named(
    path: tuple[str | int, ...], value: object, field: str
) -> None:
    source = json.loads(TEXT)
    place = source
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(MalformedInput) as caught:
        protocol_vectors.read_vectors(json.dumps(source))
    assert caught.value.field == field


def test_the_command_checks_all_files_shows_each_and_tells_a_difference(tmp_path: Path) -> None:
    run = CliRunner().invoke
    every = run(command, ["check", "--json"])
    assert every.exit_code == 0 and json.loads(every.output)["vectors"] > len(FILE.vectors)
    shown = run(command, ["show", "--set", "reader-protocol"])
    assert shown.output == TEXT
    copied = tmp_path / "vectors.json"
    copied.write_text(TEXT, encoding="utf-8")
    given = tmp_path / "answers.json"
    given.write_text(json.dumps({**RIGHT, "list-nothing": {"answer": "unchanged"}}))
    for of in (["--set", "reader-protocol"], ["--file", str(copied)]):
        told = run(command, ["check", *of, "--answers", str(given)])
        assert told.exit_code == 1 and "list-nothing: expected" in told.output
    assert run(command, ["check", "--set", "ride-code", "--file", str(copied)]).exit_code == 2
