"""Terms as people write them: every value with source and grade, all problems by line at once."""

from __future__ import annotations

from datetime import date

import pytest

from transitpay.fares.tariff import FlatFares, MatrixFares
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.terms import MonthTier, SameStation, Terms, TermSource, Tier
from transitpay.fares.terms_file import FareFacts, TermsFile, facts_of, read_terms_file
from transitpay.money import CNY, HKD, Money
from transitpay.runtime.builtin import published_terms

HEAD = 'network = "mtr"\ncurrency = "HKD"\n'
STEP = '[step]\nvalue = "0.10"\nsource = "fares"\ngrade = "D"\n'
FACTS = FareFacts(
    Money(400, HKD), Money(6080, HKD), Money(6600, HKD), {"76": Money(2650, HKD)}
)  # fmt: skip


def read(text: str) -> TermsFile:
    found = read_terms_file(SourceFile("t.toml", text.encode()))
    assert found.file is not None, [str(it) for it in found.problems]
    return found.file


def terms(text: str) -> Terms:
    made = read(HEAD + STEP + text).terms(FACTS)
    assert isinstance(made, Terms)
    return made


def problems(text: str) -> list[str]:
    found = read_terms_file(SourceFile("t.toml", text.encode()))
    assert (found.file is None) == bool(found.problems)
    return [str(it) for it in found.problems]


def test_a_value_keeps_its_source_and_grade() -> None:
    made = terms('[passback_minutes]\nvalue = 5\nsource = "a notice"\ngrade = "B"\n')
    assert (made.step_minor, made.passback_minutes) == (10, 5)
    assert made.sources == (
        TermSource("step", "fares", "D"),
        TermSource("passback_minutes", "a notice", "B"),
    )


def test_records_that_keep_a_source_are_told_it_with_its_grade() -> None:
    cap = '[[caps]]\nperiod = "day"\namount = "20.00"\nnetworks = ["mtr"]\nsource = "x"\n'
    (first, second) = terms(cap + 'grade = "A, B"\n' + cap + 'grade = "our reading"\n').caps
    assert first.amount == Money(2000, HKD)
    assert (first.source, second.source) == ("x (grade A, B)", "x (our reading)")


def test_amounts_follow_from_the_fares_or_are_written() -> None:
    made = terms(
        '[limit_minutes]\nvalue = 150\nsource = "s"\ngrade = "A"\n'
        '[longest_stay_minutes]\nvalue = 300\nsource = "s"\ngrade = "our reading"\n'
        '[maximum_fare]\nvalue = "highest fare"\nsource = "s"\ngrade = "A"\n'
        '[overstay]\nmode = "add"\namount = "highest single ticket"\nsource = "s"\ngrade = "A"\n'
        '[[same_station]]\nup_to_minutes = 20\namount = "lowest fare"\ntext = "t"\n'
        'source = "s"\ngrade = "A"\n'
        '[[same_station]]\namount = "10.00"\ntext = "t"\nsource = "s"\ngrade = "A"\n'
        '[same_station_at]\nvalue = [["76", "lowest fare from 76"], ["78", "lowest fare from 78"]]'
        '\nsource = "s"\ngrade = "A"\n'
    )
    assert made.maximum_fare == Money(6080, HKD)
    assert made.overstay is not None and made.overstay.amount == Money(6600, HKD)
    assert made.same_station == (
        SameStation(20, Money(400, HKD), "t"),
        SameStation(None, Money(1000, HKD), "t"),
    )
    assert made.same_station_at == (("76", Money(2650, HKD)),), "78 is no station of these fares"


def test_fields_in_minor_units_are_written_as_amounts_without_that_ending() -> None:
    made = terms(
        '[[tiers]]\nup_to = "3.00"\npercent = 80\nsource = "s"\ngrade = "A"\n'
        '[[tiers]]\npercent = 65\nsource = "s"\ngrade = "A"\n'
        '[month_tiers]\nsource = "s"\ngrade = "B"\n'
        'tiers = [{from = "80.00", percent = 80}, {from = "200.00", percent = 50}]\n'
    )
    assert made.tiers == (Tier(300, 80), Tier(None, 65))
    assert made.month_tiers is not None
    assert made.month_tiers.tiers == (MonthTier(8000, 80), MonthTier(20000, 50))


def test_every_problem_is_told_with_its_line_in_one_run() -> None:
    text = (
        'network = "mtr"\n'
        'currency = "HKD"\n'
        "[step]\n"
        "value = 0.1\n"
        'source = "fares"\n'
        "[passback_minutes]\n"
        'value = "5"\n'
        'source = "a notice"\n'
        'grade = "E"\n'
        "[[caps]]\n"
        'period = "year"\n'
        'amount = "20.001"\n'
        'networks = ["mtr", 1]\n'
        'source = "x"\n'
        'grade = "A"\n'
        "colour = 1\n"
        "[holiday]\n"
        "value = 1\n"
        "[claims]\n"
        'a_month = 3\nsource = "s"\ngrade = "A"\nlimit = 4\n'
    )
    assert problems(text) == [
        "t.toml line 3, step.grade: is missing",
        "t.toml line 4, step.value: 0.1 is not text such as \"66.00\"",
        "t.toml line 7, passback_minutes.value: '5' is no whole number",
        "t.toml line 9, passback_minutes.grade: 'E' is neither A, B, C, D nor our reading",
        "t.toml line 11, caps.0.period: 'year' is none of day, week, month",
        "t.toml line 12, caps.0.amount: '20.001' is not an amount in HKD",
        "t.toml line 13, caps.0.networks.1: 1 is no text",
        "t.toml line 16, caps.0.colour: is not known",
        "t.toml line 17, holiday: is not known",
        "t.toml line 19, claims.within_days: is missing",
        "t.toml line 23, claims.limit: is not known",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network = \n", "t.toml line 1, toml: Invalid value"),
        ('a = 1\nb = "x\n', "t.toml line 2, toml: "),
        (STEP, "t.toml, network: is missing"),
        ('network = "mtr"\n' + STEP, "t.toml, currency: is missing"),
        ('network = "mtr"\ncurrency = "USD"\n' + STEP, "t.toml line 2, currency: 'USD' is not"),
        (HEAD, "t.toml, step: is missing"),
        (HEAD + "step = 10\n", "t.toml line 3, step: is written as a table with source and"),
        (HEAD + STEP + "[caps]\n", "t.toml line 7, caps: is written as tables [[caps]]"),
        (HEAD + STEP + '[unit]\nvalue = "1"\n', "t.toml line 7, unit: is not known"),
        (
            HEAD + STEP + '[limit_minutes]\nvalue = 150\nsource = "s"\ngrade = "A"\n',
            "t.toml, terms: does not hold together",
        ),
    ],
)
def test_what_is_no_terms_file_is_told_in_words(text: str, said: str) -> None:
    found = problems(text)
    assert found and found[0].startswith(said), found


def test_bytes_that_are_no_text_are_one_problem() -> None:
    found = read_terms_file(SourceFile("t.toml", b"a = 1\n\xff"))
    assert [str(it) for it in found.problems] == ["t.toml line 2, text: not UTF-8"]


def test_terms_that_need_single_tickets_say_so_beside_fares_without_them() -> None:
    text = '[overstay]\nmode = "add"\namount = "highest single ticket"\nsource = "s"\ngrade = "A"\n'
    file = read(HEAD + STEP + text)
    found = file.terms(FareFacts(Money(400, HKD), Money(6080, HKD)))
    assert not isinstance(found, Terms)
    assert [str(it) for it in found] == [
        "t.toml line 9, overstay.amount: the file of fares has no single journey tickets"
    ]


def test_facts_leave_out_walking_links_and_the_diagonal() -> None:
    rows = ((1, 0, 900), (0, 1, 500), (900, 500, 1))
    facts = facts_of(MatrixFares(("a", "b", "c"), rows), CNY)
    assert (facts.lowest, facts.highest) == (Money(500, CNY), Money(900, CNY))
    assert facts.lowest_from == {"a": Money(900, CNY), "b": Money(500, CNY), "c": Money(500, CNY)}
    flat = facts_of(FlatFares({"1": 300}, 200), CNY)
    assert (flat.lowest, flat.highest, flat.lowest_from) == (Money(200, CNY), Money(300, CNY), {})


def test_every_network_has_published_terms_and_each_value_a_source() -> None:
    published = published_terms()
    assert {"mtr", "kmb", "citybus", "nlb", "shenzhen-metro", "shenzhen-bus"} <= set(published)
    for file in published.values():
        assert file.likely.sources and all(it.source and it.grade for it in file.likely.sources)
    discount = published["shenzhen-metro"].likely.discount("alipay", date(2021, 12, 31))
    assert discount is not None and discount.source.endswith("(grade A)")
