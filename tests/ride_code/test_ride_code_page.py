"""docs/ride-code.md tells the real layout, reasons, example and formats."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from ride_code_scheme import Scheme

from transitpay.destinations import DESTINATIONS, MODES
from transitpay.ride_code import base45, layout, signing
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.golden import ride_codes as golden
from transitpay.ride_code.reasons import RULES, Kind, Language, Reason
from transitpay.ride_code.trust_list import TrustList

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "ride-code.md").read_text(encoding="utf-8")
SOURCE = json.loads(golden.shipped_text())
EXAMPLE = SOURCE["vectors"][0]
DATA = bytes.fromhex(EXAMPLE["hex"])


def section(title: str) -> str:
    found = re.search(rf"^##+ {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no section {title}"
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def table(text: str, columns: int) -> list[list[str]]:
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in row] for row in rows if len(row) == columns]


def test_the_table_of_reasons_is_the_real_one() -> None:
    told = [row for row in table(section("Reasons"), 7) if row[0].isdigit()]
    assert told == [
        [
            str(n), f"`{r}`", RULES[r].kind.value, ", ".join(sorted(RULES[r].tiers)),
            RULES[r].action.value, RULES[r].at_exit.value, RULES[r].text(Language.EN),
        ]
        for n, r in enumerate(Reason, 1)
    ]  # fmt: skip


def test_the_chinese_texts_are_the_real_ones() -> None:
    told = [row for row in table(section("Reasons"), 3) if row[0].startswith("`")]
    assert told == [
        [f"`{r}`", RULES[r].text(Language.ZH_HANT), RULES[r].text(Language.ZH_HANS)] for r in Reason
    ]


def test_the_order_of_checks_is_the_order_of_reasons() -> None:
    told = [row for row in table(section("Order of checks"), 3) if row[0].isdigit()]
    numbers = {r.value: n for n, r in enumerate(Reason, 1)}
    assert [(int(n), name.strip("`")) for n, name, _ in told] == [
        (numbers[name.strip("`")], name.strip("`")) for _, name, _ in told
    ]
    assert {name.strip("`") for _, name, _ in told} == {
        r.value for r in Reason if RULES[r].kind is Kind.CODE
    } | {"clock_fault"}


def test_the_layout_table_covers_200_bytes_without_a_gap() -> None:
    rows = [row for row in table(section("Bytes"), 4) if row[0].isdigit()]
    at = 0
    for offset, length, _, _ in rows:
        assert int(offset) == at
        at += int(length)
    assert at == layout.CODE_LENGTH


def test_the_worked_example_is_the_first_vector_field_by_field() -> None:
    told = section("Worked example")
    text, data = blocks(told, "text")
    assert text == EXAMPLE["text"] + "\n"
    assert bytes.fromhex(data) == DATA == layout.read_text(text[:-1])
    rows = [row for row in table(told, 4) if row[0].isdigit()]
    joined = b""
    for offset, _, value, _ in rows:
        assert int(offset) == len(joined)
        joined += bytes.fromhex(value.strip("`"))
    assert joined == DATA
    assert EXAMPLE["name"] in told and str(EXAMPLE["at"]) in told


def test_the_meanings_of_the_worked_example_are_its_values() -> None:
    meaning = {row[1]: row[3] for row in table(section("Worked example"), 4)}
    code = layout.parse(DATA)
    it = code.authorisation
    assert meaning["issuer key id"] == str(it.key_id)
    assert meaning["rider id"] == f"`{it.rider_id}`"
    assert meaning["serial"] == str(it.serial)
    assert meaning["not-before"].startswith(f"{it.not_before} = ")
    assert meaning["life"] == f"{it.life_h} h, so it ends at {it.expires_at}"
    assert meaning["maximum code life"].endswith(f"= {it.code_life_s} s")
    assert meaning["ceiling"] == str(it.ceiling_major)
    assert meaning["ceiling currency"] == it.ceiling_currency.code
    assert meaning["quota"] == str(it.quota)
    assert meaning["generated-at"].startswith(f"{code.generated_at} = ")
    assert meaning["counter"] == str(code.counter)


def test_tags_digests_and_the_key_of_the_example_are_real() -> None:
    told = section("Worked example")
    for tag, signed in ((signing.ISSUER_TAG, DATA[:65]), (signing.DEVICE_TAG, DATA[:136])):
        assert len(tag) == 31
        assert f"| `{tag[:-1].decode()}` | `{tag.hex()}` |" in section("Signatures")
        assert hashlib.sha256(tag + signed).hexdigest() in told
    record = SOURCE["trust_lists"]["main"]["keys"][0]
    assert record["public_key"] in told
    (known,) = blocks(section("Trust list"), "json")
    assert TrustList.from_json(known).to_object()["keys"] == [record]


def test_alphabet_orders_and_names_are_real() -> None:
    assert f'"{base45.ALPHABET}"' in section("Text and QR code")
    assert f"{signing.P256_ORDER:064x}" in section("Signatures")
    assert str(signing.ED25519_ORDER - 2**252) in section("Signatures")
    rows = {row[0]: [c for c in row[1:] if c] for row in table(section("Bytes"), 8)}
    assert tuple(rows["destination"]) == DESTINATIONS
    assert tuple(rows["mode"]) == MODES


def test_the_deny_list_and_the_reader_of_the_page_can_be_read() -> None:
    (deny,) = blocks(section("Deny list"), "json")
    assert DenyList.from_json(deny).to_object() == SOURCE["deny_lists"]["rider"]
    (reader,) = blocks(section("Reader rules"), "json")
    assert json.loads(reader) == SOURCE["readers"][EXAMPLE["reader"]]
    golden.read_reader(json.loads(reader))


def test_the_answers_of_the_page_are_well_formed_and_right() -> None:
    (answers,) = blocks(section("Golden vectors"), "json")
    given = golden.read_answers(answers)
    known = [v for v in golden.read_vectors(golden.shipped_text()) if v.name in given]
    assert golden.compare(known, given) == []
    assert f"\n{len(SOURCE['vectors'])} codes with their verdicts" in section("Golden vectors")


@pytest.mark.parametrize(
    "row", [r for r in table(section("Freshness"), 5) if r[0].isdigit()], ids="-".join
)
def test_every_worked_number_of_freshness_is_true(row: list[str]) -> None:
    limit, life, doubt = (int(cell) for cell in row[:3])
    ages = [int(a) for a in re.sub(r"\(.*\)", "", row[3]).split("/")]
    for age, verdict in zip(ages, row[4].split(" / "), strict=True):
        assert _fresh(limit, life, doubt, age) == verdict


def _fresh(limit: int, life: int, doubt: int, age: int) -> str:
    scheme = Scheme()
    found = scheme.reason(
        scheme.code(code_life_s=life, age_s=age),
        reader=scheme.reader(max_age_s=limit),
        uncertainty_s=doubt,
    )
    return found.replace("accepted:", "accepted, flag ")


def test_the_reference_leads_to_the_page() -> None:
    assert "(../ride-code.md)" in (DOCS / "reference" / "ride-code.md").read_text()
