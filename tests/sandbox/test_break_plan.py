"""Planted breaks are a seeded plan of known size, and each gives exactly one break of its kind."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from transitpay.clock import day_start
from transitpay.sandbox.plan import EDGE, KINDS, FileRow, choose, fee_of, plant, sealed
from transitpay.sandbox.rate_feed import BUILTIN_REFERENCE, Feed, ecb_reference
from transitpay.sandbox.wallet.files import FileTerms, write

DAY = date(2026, 10, 30)
FEE = Decimal("0.006")


def rows(number: int = 40, unit: str = "HKD") -> list[FileRow]:
    rng = random.Random(7)
    made = []
    for i in range(number):
        amount = rng.randrange(250, 6000)
        made.append(
            FileRow(
                f"{i:032x}-1", "", f"W{i}", "PAYMENT", amount, fee_of(amount, unit, FEE), unit,
                day_start(DAY, 7) + timedelta(minutes=17 * i), "1", amount,
            )
        )  # fmt: skip
    return made


def test_a_fee_is_rounded_half_up_to_the_minor_unit() -> None:
    assert fee_of(4791, "CNY", FEE) == 29
    assert fee_of(250, "CNY", FEE) == 2


@pytest.mark.parametrize("layout", sorted(KINDS))
def test_the_same_seed_plants_the_same_breaks_one_of_each_kind(layout: str) -> None:
    plan = choose(rows(), layout, "1:w", DAY, None)
    assert plan == choose(list(reversed(rows())), layout, "1:w", DAY, None)
    assert plan != choose(rows(), layout, "2:w", DAY, None)
    assert Counter(item.kind for item in plan) == Counter(KINDS[layout])
    assert sealed(plan, "w", DAY)["kinds"] == dict.fromkeys(KINDS[layout], 1)


def test_a_plan_of_nothing_serves_the_rows_as_they_are() -> None:
    plan = choose(rows(), "alipayhk", "1:w", DAY, 0)
    assert plan == ()
    assert list(plant(rows(), plan, FEE).rows) == rows()


def test_no_row_near_midnight_is_touched() -> None:
    edge = day_start(DAY) + EDGE
    early = [row for row in rows() if row.completed_at < edge]
    near = [FileRow(**{**_fields(rows()[0]), "completed_at": edge - timedelta(seconds=1)})]
    assert not early
    assert choose(near * 4, "alipayhk", "1:w", DAY, None) == ()


def test_each_kind_alters_the_rows_as_it_says() -> None:
    source = rows()
    plan = {item.kind: item.request_id for item in choose(source, "alipay-cn", "1:w", DAY, None)}
    served = plant(source, choose(source, "alipay-cn", "1:w", DAY, None), FEE).rows
    by_id: dict[str, list[FileRow]] = {}
    for row in served:
        by_id.setdefault(row.request_id, []).append(row)
    before = {row.request_id: row for row in source}
    assert plan["missing_external"] not in by_id
    assert plan["missing_internal"] not in before and plan["missing_internal"] in by_id
    assert len(by_id[plan["duplicate_external"]]) == 2
    changed = by_id[plan["amount_mismatch"]][0]
    assert changed.amount_minor != before[changed.request_id].amount_minor
    assert changed.fee_minor == fee_of(changed.amount_minor, "HKD", FEE)
    fee = by_id[plan["fee_mismatch"]][0]
    assert fee.settlement_minor == fee.amount_minor - fee.fee_minor
    assert by_id[plan["currency_mismatch"]][0].currency == "CNY"
    assert len(served) == len(source) + 1


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("alipayhk", ["P_fptrade_20261030.csv", "P_settle_20261030_20261030001.csv"]),
        ("alipay-cn", ["P_transaction_20261030.txt"]),
        ("transitpay", ["P_wallet_20261030_HKD.csv"]),
    ],
)
def test_an_empty_day_still_has_its_files(layout: str, names: list[str]) -> None:
    terms = FileTerms("w", layout, "P", "HKD", FEE, 1, None)
    files = write(plant([], (), FEE), DAY, terms)
    assert [file.name for file in files] == names
    assert all(file.content.endswith(b"\n") for file in files)


def test_a_total_line_sums_what_is_served() -> None:
    terms = FileTerms("w", "transitpay", "P", "HKD", FEE, 1, None)
    (file,) = write(plant(rows(), (), FEE), DAY, terms)
    lines = [line.split(",") for line in file.content.decode().splitlines()]
    items, total = lines[1:-1], lines[-1]
    assert total[:3] == ["TOTAL", "20261030-HKD", str(len(items))]
    for column in (7, 8, 9):
        assert int(total[column]) == sum(int(item[column]) for item in items)


def test_a_rate_feed_says_the_same_again_and_stays_near_its_reference() -> None:
    at = datetime(2026, 10, 30, 4, tzinfo=UTC)
    first, second = Feed("a", 1, BUILTIN_REFERENCE), Feed("a", 1, BUILTIN_REFERENCE)
    other = Feed("b", 1, BUILTIN_REFERENCE)
    for minute in range(0, 600, 60):
        then = at + timedelta(minutes=minute)
        assert first.mid(then) == second.mid(then)
        assert abs(first.mid(then) / BUILTIN_REFERENCE - 1) < Decimal("0.02")
        assert abs(first.mid(then) / other.mid(then) - 1) < Decimal("0.001")
    assert ecb_reference(None, at) == BUILTIN_REFERENCE


def test_the_reference_of_the_public_data_is_the_newest_before_the_day(data_dir: Path) -> None:
    at = datetime(2026, 10, 30, 4, tzinfo=UTC)
    assert ecb_reference(data_dir, at) == Decimal("0.8479669603")


def _fields(row: FileRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in FileRow.__slots__}
