"""The golden vectors are judged as frozen, and the generator still writes the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from transitpay.errors import MalformedInput
from transitpay.ride_code.golden import ride_codes as golden
from transitpay.ride_code.golden.ride_codes import Answer, Vector
from transitpay.ride_code.layout import encode, parse, write_text
from transitpay.ride_code.reasons import RULES, ExitPolicy, Kind, Reason
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.verdict import judge

VECTORS = golden.read_vectors(golden.shipped_text())
GENERATOR = Path(__file__).parents[1] / "vectors" / "make_ride_code_vectors.py"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.name)
def test_our_judge_gives_the_frozen_verdict(vector: Vector) -> None:
    assert golden.describe(golden.judge_vector(vector)) == vector.details


def test_a_shared_cache_changes_no_verdict() -> None:
    cache = SignatureCache()
    for vector in [*VECTORS, *VECTORS]:
        found = judge(
            vector.text, vector.trust, vector.deny, vector.reader, vector.at,
            vector.uncertainty_s, cache,
        )  # fmt: skip
        assert golden.describe(found) == vector.details, vector.name


def test_every_reason_of_the_code_has_a_vector_and_both_algorithms_are_accepted() -> None:
    met = {vector.expected.reason for vector in VECTORS}
    assert {r.value for r in Reason if RULES[r].kind is Kind.CODE} <= met
    accepted = [v for v in VECTORS if v.expected == Answer("accepted", None, ())]
    algorithms = set()
    for vector in accepted:
        code = golden.judge_vector(vector).code
        assert code is not None
        algorithms.add(vector.trust.keys[code.authorisation.key_id].algorithm.value)
    assert algorithms == {"ES256", "Ed25519"}


#: Abuse cases that show in the bytes of one code; the others need two scans, a list or a night.
CASES_WITH_BYTES = {4, 7, 8, *range(10, 27), 29, 30, 32, 33, 34, 35, 37, 38}


def test_every_abuse_case_that_has_bytes_has_a_vector() -> None:
    named = {int(v.name[5:7]) for v in VECTORS if v.name.startswith("case-")}
    assert named == CASES_WITH_BYTES


def test_two_phones_of_one_backup_have_one_replay_key_under_other_bytes() -> None:
    by_name = {v.name: v for v in VECTORS}
    first, second = by_name["accepted-es256"], by_name["case-10-counter-collision"]
    assert first.text != second.text
    assert first.details["replay_key"] == second.details["replay_key"]


def test_flags_of_vectors_are_reasons_that_an_exit_opens_for() -> None:
    flags = {flag for vector in VECTORS for flag in vector.expected.flags or ()}
    assert flags
    assert all(RULES[Reason(flag)].at_exit is not ExitPolicy.REFUSE for flag in flags)


def test_the_hex_of_a_vector_is_its_text() -> None:
    for entry in json.loads(golden.shipped_text())["vectors"]:
        if entry["hex"] is not None:
            data = bytes.fromhex(entry["hex"])
            assert write_text(data) == entry["text"]
            if entry["expect"]["reason"] not in ("unreadable", "unknown_version"):
                assert encode(parse(data)) == data


def test_the_generator_writes_the_frozen_bytes() -> None:
    program = "import make_ride_code_vectors as m, sys; sys.stdout.write(m.build())"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=GENERATOR.parent, capture_output=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.decode() == golden.shipped_text()


def test_every_key_of_the_file_is_marked_test_only() -> None:
    source = json.loads(golden.shipped_text())
    assert "TEST ONLY" in source["warning"]
    assert all(name.endswith("TEST ONLY") for name in source["test_only_private_keys"])


def test_right_answers_of_another_implementation_agree() -> None:
    answers = {
        v.name: {"verdict": v.expected.verdict, "reason": v.expected.reason} for v in VECTORS
    }
    assert golden.compare(VECTORS, golden.read_answers(json.dumps(answers))) == []


def test_a_wrong_and_a_missing_answer_are_differences() -> None:
    answers = {v.name: v.expected for v in VECTORS[2:]}
    answers[VECTORS[0].name] = Answer("rejected", "replay")
    found = golden.compare(VECTORS, answers)
    assert [(d.name, d.given) for d in found] == [
        (VECTORS[0].name, "rejected replay"),
        (VECTORS[1].name, None),
    ]


def test_flags_are_compared_where_they_are_told() -> None:
    flagged = next(v for v in VECTORS if v.name == "wrong-destination-exit")
    assert golden.compare([flagged], {flagged.name: Answer("accepted", None)}) == []
    assert golden.compare([flagged], {flagged.name: Answer("accepted", None, ())}) != []


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ("[]", "answers"),
        ('{"a": 1}', "a"),
        ('{"a": {"verdict": "ok"}}', "a.verdict"),
        ('{"a": {"verdict": "accepted", "reason": "replay"}}', "a.reason"),
        ('{"a": {"verdict": "rejected", "reason": "no"}}', "a.reason"),
        ('{"a": {"verdict": "rejected", "reason": "replay", "flags": 1}}', "a.flags"),
    ],
)
def test_a_malformed_answer_is_named(answers: str, field: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        golden.read_answers(answers)
    assert caught.value.field == field


def test_an_answer_to_no_vector_is_refused() -> None:
    with pytest.raises(MalformedInput) as caught:
        golden.compare(VECTORS, {"no-such": Answer("accepted", None)})
    assert caught.value.code == "unknown_vector"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("format",), "x/2", "format"),
        (("vectors",), [], "vectors"),
        (("vectors", 0, "reader"), "nowhere", "vectors[0].reader"),
        (("vectors", 0, "at"), "noon", "vectors[0].at"),
        (("vectors", 0, "text"), None, "vectors[0].text"),
        (("vectors", 1, "name"), "accepted-es256", "vectors"),
        (("readers", "hong-kong-bus", "direction"), "up", "readers.hong-kong-bus.direction"),
        (("readers", "hong-kong-bus", "mode"), 9, "readers.hong-kong-bus.mode"),
    ],
)
def test_a_malformed_vector_file_is_named(
    path: tuple[str | int, ...], value: object, field: str
) -> None:
    source = json.loads(golden.shipped_text())
    place = source
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(MalformedInput) as caught:
        golden.read_vectors(json.dumps(source))
    assert caught.value.field == field
