"""What settlement tells gateways of a tariff book: names in three languages, dated claim terms."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from transitpay.fares.shown import JourneyTerms, StopName, journey_terms, stop_names
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff, TariffBook
from transitpay.fares.terms import Claims, Terms
from transitpay.money import CNY, HKD, Money
from transitpay.postgres.journeys.shown_tariffs import names_of, put_shown, terms_on

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
FIRST, SECOND = date(2026, 1, 1), date(2026, 7, 1)


def metro(begins: date, claims: Claims | None, luohu: str = "Luohu") -> Tariff:
    stops = (Stop("0101", ("罗湖",), en=luohu, zh_hans="罗湖"), Stop("0102", ("国贸",)))
    terms = Terms(
        step_minor=1, limit_minutes=210, longest_stay_minutes=1200, maximum_fare=Money(1500, CNY),
        claims=claims,
    )  # fmt: skip
    fares = MatrixFares(("0101", "0102"), ((0, 200), (200, 0)))
    return Tariff(
        "shenzhen-metro", "shenzhen-metro", CNY, f"v{begins}", begins, "test", stops, fares, terms
    )


def buses() -> Tariff:
    return Tariff(
        "kmb", "kmb", HKD, "v1", FIRST, "test", (Stop("268C", ("268C",)),),
        FlatFares({"268C": 1840}), Terms(step_minor=10),
        boarding_stops=(Stop("B1", ("朗屏",), en="Long Ping", zh_hant="朗屏"),),
    )  # fmt: skip


BOOK = TariffBook(
    (metro(FIRST, None, "Lo Wu"), metro(SECOND, Claims(3, 14, "test")), buses())
)  # fmt: skip


def test_stops_and_routes_have_the_names_of_the_newest_version() -> None:
    names = {(it.network, it.stop): it for it in stop_names(BOOK)}
    assert names["shenzhen-metro", "0101"] == StopName(
        "shenzhen-metro", "0101", "羅湖", "罗湖", "Luohu"
    )
    assert names["kmb", "B1"].en == "Long Ping" and names["kmb", "268C"].zh_hans == "268C"
    assert len(names) == 4


async def test_terms_are_dated_and_replaced_as_a_whole(db: Any) -> None:
    settlement = await db.connect("transitpay_settlement")
    told = (stop_names(BOOK), journey_terms(BOOK))
    assert await put_shown(settlement, *told, AT)
    assert not await put_shown(settlement, *told, AT), "twice is once"
    gateway = await db.connect("transitpay_gateway")
    old = await terms_on(gateway, "shenzhen-metro", SECOND - timedelta(days=1))
    assert old == JourneyTerms("shenzhen-metro", FIRST, timedelta(hours=20), None, None)
    new = await terms_on(gateway, "shenzhen-metro", SECOND)
    assert new == JourneyTerms("shenzhen-metro", SECOND, timedelta(hours=20), 3, 14)
    assert await terms_on(gateway, "kmb", FIRST) == JourneyTerms("kmb", FIRST, None, None, None)
    assert await terms_on(gateway, "kmb", FIRST - timedelta(days=1)) is None
    known = await names_of(gateway, {("kmb", "B1"), ("kmb", "none")})
    assert [it.en for it in known.values()] == ["Long Ping"]
    assert await put_shown(settlement, [], journey_terms(BOOK), AT)
    assert await names_of(gateway, {("kmb", "B1")}) == {}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await gateway.execute("delete from journey_terms")
