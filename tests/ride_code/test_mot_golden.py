"""The golden vectors of the second format are judged as frozen; its page tells the real layout."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from transitpay.ride_code.golden import ride_codes as golden
from transitpay.ride_code.golden.ride_codes import Vector
from transitpay.ride_code.mot import layout
from transitpay.ride_code.mot.curve import ORDER
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.verdict import judge

TOP = Path(__file__).parents[2]
SOURCE = json.loads(golden.shipped_text("mot"))
VECTORS = golden.read_vectors(golden.shipped_text("mot"))
PAGE = (TOP / "docs" / "reference" / "mot-code.md").read_text("utf-8")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.name)
def test_our_judge_gives_the_frozen_verdict(vector: Vector) -> None:
    assert golden.describe(golden.judge_vector(vector)) == vector.details


def test_a_shared_cache_changes_no_verdict() -> None:
    cache = SignatureCache()
    for v in [*VECTORS, *VECTORS]:
        found = judge(v.text, v.trust, v.deny, v.reader, v.at, v.uncertainty_s, cache)
        assert golden.describe(found) == v.details, v.name


def test_the_generator_writes_the_frozen_bytes() -> None:
    program = "import make_mot_vectors as m, sys; sys.stdout.write(m.build())"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=TOP / "tests" / "vectors", capture_output=True,
        timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.decode() == golden.shipped_text("mot")


def test_every_key_of_the_file_is_marked_test_only() -> None:
    assert "TEST ONLY" in SOURCE["warning"]
    assert all(name.endswith("TEST ONLY") for name in SOURCE["test_only_private_keys"])


def test_the_hex_of_a_vector_is_its_text() -> None:
    for entry in SOURCE["vectors"]:
        if entry["hex"] is not None:
            data = bytes.fromhex(entry["hex"])
            assert layout.write_text(data) == entry["text"]
            if entry["expect"]["reason"] not in ("unreadable", "unknown_version"):
                assert layout.encode(layout.parse(data)) == data


def _number(cell: str) -> int:
    """The value of ``198 + n`` for the longest extension."""
    parts = [part.strip() for part in cell.split("+")]
    return sum(layout.MAX_EXTENSION if part == "n" else int(part) for part in parts)


def _offsets(table: str) -> list[tuple[str, str]]:
    return re.findall(r"^\| ([0-9+ n]+) \| ([0-9n]+) \|", table, re.MULTILINE)


def test_the_tables_of_the_page_cover_every_byte_without_a_gap() -> None:
    body = PAGE.partition("## Bytes\n")[2].partition("## Signatures\n")[0]
    code, _, certificate = body.partition("The certificate, offsets within it:")
    for table, end in ((code, layout.MAX_LENGTH), (certificate, layout.CERTIFICATE_LENGTH)):
        spans = [(_number(a), _number(length)) for a, length in _offsets(table)]
        assert [a + length for a, length in spans] == [b for b, _ in spans[1:]] + [end]
        assert all(a < b for (a, _), (b, _) in pairwise(spans))


def test_the_rider_and_the_order_of_the_page_are_the_real_ones() -> None:
    by_name = {v.name: v for v in VECTORS}
    assert f"`{by_name['mot-accepted'].details['rider_id']}`" in PAGE
    assert f"`N = {ORDER:x}`" in PAGE


def test_one_user_key_and_second_is_one_replay_key() -> None:
    by_name = {v.name: v.details for v in VECTORS}
    first, again = by_name["mot-accepted"], by_name["mot-same-second"]
    assert first["replay_key"] == again["replay_key"]
    assert by_name["mot-other-user"]["replay_key"] != first["replay_key"]
    assert by_name["mot-other-user"]["rider_id"] == first["rider_id"]
