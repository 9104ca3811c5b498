"""docs/reference/fares.md names every line of a fare and every network of the code."""

from __future__ import annotations

import re
from pathlib import Path

from transitpay.cli.fare import NETWORKS
from transitpay.fares import line_texts
from transitpay.fares.line_texts import Sentence
from transitpay.fares.tariff import EXCLUDED
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.terms_file import read_terms_file
from transitpay.money import HKD, Money
from transitpay.runtime.builtin import builtin_book

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "fares.md").read_text("utf-8")


def test_every_line_of_a_fare_is_explained_and_no_other() -> None:
    table = PAGE.split("| code | meaning |")[1].split("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    codes = {it.code for it in vars(line_texts).values() if isinstance(it, Sentence)}
    assert set(re.findall(r"`([a-z_]+)`", " ".join(rows))) == codes


def test_all_nine_networks_are_in_the_page_and_in_the_book() -> None:
    table = PAGE.split("## Networks")[1].split("\n\n")[1]
    assert set(re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)) == set(NETWORKS)
    assert set(builtin_book().networks) == set(NETWORKS)
    assert all(f"`{name}`" in PAGE for name in EXCLUDED)


def test_the_terms_that_the_page_shows_are_read_as_they_stand() -> None:
    first, second = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    head = first.split("[overstay]")[0]
    read = read_terms_file(SourceFile("page.toml", f"{head}\n{second}".encode()))
    assert read.file is not None, [str(problem) for problem in read.problems]
    terms = read.file.likely
    assert [(cap.period, cap.amount) for cap in terms.caps] == [("day", Money(4000, HKD))]
    assert terms.month_tiers is not None and not terms.month_tiers.tiers[0].including
    assert terms.companions_count


def test_every_published_term_has_its_source_and_its_grade() -> None:
    for network in NETWORKS:
        terms = builtin_book().latest(network).terms
        assert terms.sources and all(it.source and it.grade for it in terms.sources)
