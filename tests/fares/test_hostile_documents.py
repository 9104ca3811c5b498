"""Whatever a document or a terms file holds, it is a tariff or problems, and never an exception."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from luck import examples

import transitpay.fares
from transitpay.fares.document import document_of, read_document, tariff_of
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import FareFacts, read_terms_file
from transitpay.money import Money
from transitpay.runtime.builtin import builtin_book

BOOK = builtin_book()
SAMPLES = [json.loads(document_of(BOOK.latest(network))) for network in ("mtr", "kmb", "nlb")]
FOLDER = Path(transitpay.fares.__file__).parent / "published_terms"
TEXTS = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.toml")}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to each value in a document; of long lists to the first ones."""
    found = [at]
    if isinstance(value, dict):
        for name in list(value)[:12]:
            found += places(value[name], (*at, name))
    elif isinstance(value, list):
        for i in range(min(len(value), 3)):
            found += places(value[i], (*at, i))
    return found


@settings(max_examples=examples(300))
@given(st.data())
def test_a_document_with_any_value_anywhere_is_answered(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 2))):
        way = data.draw(st.sampled_from([it for it in places(document) if it]))
        holder = document
        for step in way[:-1]:
            holder = holder[step]
        if data.draw(st.booleans()) and isinstance(holder, dict):
            del holder[way[-1]]
        else:
            holder[way[-1]] = data.draw(values)
    read = read_document(SourceFile("d", json.dumps(document).encode()))
    if read.tariff is not None:
        again = document_of(read.tariff)
        assert document_of(tariff_of(again)) == again
    assert all(it.field and it.reason and it.line for it in read.problems)


@settings(max_examples=examples(300))
@given(st.data())
def test_a_terms_file_with_any_text_in_it_is_answered(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(sorted(TEXTS.values())))
    lines = text.splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    name, _, _ = lines[place].partition("=")
    toml = values.map(lambda it: json.dumps(it, ensure_ascii=False))
    lines[place] = data.draw(toml.map(lambda it: f"{name}= {it}") | st.text(max_size=20))
    read = read_terms_file(SourceFile("t.toml", "\n".join(lines).encode(errors="replace")))
    if read.file is not None:
        amount = Money(500, read.file.currency)
        made = read.file.terms(FareFacts(amount, amount, amount))
        assert isinstance(made, Terms) or made
    assert all(str(problem).startswith("t.toml") for problem in read.problems)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "a = " + "[" * 5000,
        "a = " + "{b = " * 5000,
        "a.b.c = 1\na.b = 2",
        "[[caps]]\n[caps]",
        'network = ["mtr"]\ncurrency = {}',
        "[step.value]\nx = 1",
        "a = 1979-05-27T07:32:00Z\n[limit_minutes]\nvalue = 1e400",
        "a" * 9999,
    ],
)
def test_odd_toml_is_a_problem(text: str) -> None:
    assert read_terms_file(SourceFile("t.toml", text.encode())).problems
