"""GTFS transfers become those of a tariff; what a tariff cannot say is left out by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gtfs_feeds import (
    ALL,
    BUSES,
    CODE,
    METRO,
    TRANSFERS,
    loaded,
    read,
)

from transitpay.fares.tariff_files import Parsed
from transitpay.fares.tariff_files.gtfs import GtfsChoice
from transitpay.fares.tariff_files.gtfs import transfers as gtfs_transfers
from transitpay.fares.terms import Transfer
from transitpay.fares.terms_file import TermsFile
from transitpay.money import CNY, Money


def transfers(*rows: str, choice: GtfsChoice = ALL, of: TermsFile | None = None) -> Parsed:
    return read(
        BUSES, choice, of=of, fare_transfer_rules=TRANSFERS + "".join(r + "\n" for r in rows)
    )


CITY = GtfsChoice(gtfs_networks=frozenset({"city"}), networks={"express": "express-bus"})


def test_a_fixed_amount_within_a_time_is_a_transfer_of_the_tariff() -> None:
    parsed = transfers("e,c,,5400,1,1,less", "c,c,-1,5400,1,1,less", choice=CITY)
    found = loaded(parsed).terms.transfers
    assert found == (
        Transfer(frozenset({"express-bus"}), 90, Money(40, CNY), "fare_transfer_rules.txt line 2"),
        Transfer(frozenset({"metro"}), 90, Money(40, CNY), "fare_transfer_rules.txt line 3"),
    )
    assert parsed.left_out == ()
    assert [str(warning) for warning in parsed.warnings] == [
        "fare_transfer_rules.txt line 3, duration_limit: the time runs from the ride before each "
        "ride, not from the first"
    ]


@pytest.mark.parametrize(
    ("row", "off"),
    [
        ("e,c,,3600,1,0,", 200),  # the second ride is free
        ("c,c,-1,3600,1,0,", 200),
        ("e,c,,3600,1,2,express", 200),  # together what the first costs
    ],
)
def test_a_free_second_ride_and_one_price_for_both_are_amounts_off(row: str, off: int) -> None:
    found = loaded(transfers(row, choice=CITY)).terms.transfers
    assert [(it.within_minutes, it.off.minor) for it in found] == [(60, off)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("e,c,,,,1,less", "no limit of time"),
        ("e,c,,90,1,1,less", "90 seconds, no whole minutes"),
        ("e,c,,3600,0,1,less", "duration_limit_type 0, and we count from boarding to boarding"),
        ("c,c,1,3600,1,1,less", "only 1 rides in a row"),
        ("e,c,,3600,1,1,city", "a ride that costs more after another"),
        ("e,c,,3600,1,2,city", "a price for both rides together that is no fixed amount off"),
        ("e,c,,3600,1,7,city", "fare_transfer_type '7'"),
    ],
)
def test_a_transfer_that_a_tariff_cannot_say_is_left_out_and_the_tariff_says_so(
    row: str, expected: str
) -> None:
    parsed = transfers(row, choice=CITY)
    tariff = loaded(parsed)
    assert tariff.terms.transfers == ()
    assert len(parsed.left_out) == 1
    assert expected in parsed.left_out[0].reason
    assert expected in tariff.terms.unknown[0]


def test_a_transfer_of_a_part_of_our_rides_is_left_out() -> None:
    both = transfers("e,c,,5400,1,1,less")
    assert loaded(both).terms.transfers == ()
    assert "e to c: not from c to c, which are ours too" in both.left_out[0].reason
    whole = transfers(
        "c,c,-1,5400,1,1,less", "c,e,,5400,1,1,less", "e,c,,5400,1,1,less", "e,e,-1,5400,1,1,less"
    )
    assert [it.off.minor for it in loaded(whole).terms.transfers] == [40]
    unmapped = transfers("e,c,,5400,1,1,less", choice=replace(CITY, networks={}))
    assert "of a network that is none of ours" in unmapped.left_out[0].reason


def test_more_leg_groups_than_are_compared_leave_the_transfers_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gtfs_transfers, "MOST_PAIRS", 1)
    parsed = transfers("e,c,,5400,1,1,less", choice=CITY)
    assert loaded(parsed).terms.transfers == ()
    assert "more than 1 pairs of leg groups" in parsed.left_out[0].reason


def test_after_gates_the_time_runs_from_the_exit() -> None:
    rows = TRANSFERS + "g,g,-1,1800,2,1,less\n"
    products = METRO["fare_products.txt"] + "less,,,-0.50,CNY\n"
    tariff = loaded(read(METRO, CODE, fare_products=products, fare_transfer_rules=rows))
    assert [(it.within_minutes, it.off.minor) for it in tariff.terms.transfers] == [(30, 50)]
