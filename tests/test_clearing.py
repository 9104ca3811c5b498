"""A fare becomes a charge and an entry by its agreement; when it is cleared changes nothing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from transitpay.clearing import AwaitRate, Cleared, clear, release
from transitpay.fares.fare import Fare, FareLine
from transitpay.fares.line_texts import as_told
from transitpay.fx.agreement import Agreement, agreement_on, builtin_agreements
from transitpay.fx.rate import NotYet, PublishedRate, rate_at
from transitpay.journeys.journey import Journey, boarding
from transitpay.ledger.balances import balances
from transitpay.money import CNY, HKD, Currency, Money
from transitpay.taps import Direction, RiderRef, Tap, TapKey

AT = datetime(2026, 11, 2, 4, 0, 30, tzinfo=UTC)
MINUTE = AT.replace(second=0)


def ride(wallet: str) -> Journey:
    rider = RiderRef(wallet, "00112233445566ff")
    key = TapKey(date(2026, 11, 2), "bus-7", 17)
    return boarding(Tap(key, rider, "kmb", "kmb", "1A", Direction.BOARD, AT))


def fare(minor: int, unit: Currency = HKD) -> Fare:
    amount = Money(minor, unit)
    return Fare(amount, (FareLine(as_told("fare", "route 1A"), amount),), "v1")


def terms(wallet: str, unit: Currency = HKD) -> Agreement:
    found = agreement_on(builtin_agreements(), wallet, unit, date(2026, 11, 2))
    assert found is not None
    return found


def row(rate: str | None, minutes: int = 0) -> PublishedRate:
    at = MINUTE + timedelta(minutes=minutes)
    return PublishedRate(HKD, CNY, at, None if rate is None else Decimal(rate), "test", AT)


def cleared(
    wallet: str, rate: PublishedRate | NotYet | None, minor: int = 5220, unit: Currency = HKD
) -> Cleared:
    result = clear(ride(wallet), fare(minor, unit), terms(wallet, unit), rate)
    assert isinstance(result, Cleared)
    return result


def test_we_convert_by_the_rate_that_holds_at_the_ride() -> None:
    done = cleared("shenzhen-tong", row("0.9150"))
    assert done.entry is not None and done.quote is not None
    assert done.owed == Money(4791, CNY)
    assert (done.journey_id, done.revision) == ("2026-11-02/bus-7/17", 1)
    assert (done.entry.key, done.entry.at) == ("cleared:2026-11-02/bus-7/17", AT)
    assert done.quote.effective_at == MINUTE


@pytest.mark.parametrize("wallet", ["alipay", "alipayhk"])
def test_what_we_do_not_convert_needs_no_rate(wallet: str) -> None:
    done = cleared(wallet, NotYet(AT))
    assert done.quote is None and done.entry is not None
    assert done.owed == Money(5220, HKD)
    assert set(balances([done.entry])) == {
        (f"rider_due:{wallet}", HKD),
        ("operator_payable:kmb", HKD),
    }


def test_without_a_later_row_the_fare_waits() -> None:
    result = clear(ride("shenzhen-tong"), fare(5220), terms("shenzhen-tong"), NotYet(AT))
    assert result == AwaitRate(AT)


def test_when_it_is_cleared_never_changes_its_rate() -> None:
    log = [row("0.9100", -1), row("0.9150"), row("0.9300", 1), row("0.9400", 2)]
    seen = {
        str(rate.rate) if isinstance(rate, PublishedRate) else "wait"
        for n in range(5)
        for rate in [rate_at(log[:n], AT)]
    }
    assert seen == {"wait", "0.9150"}


@pytest.mark.parametrize("rate", [row(None), None])
def test_a_gap_pays_the_operator_and_holds_the_charge(rate: PublishedRate | None) -> None:
    done = cleared("shenzhen-tong", rate)
    assert done.owed is None and done.quote is None
    assert done.entry is not None and done.entry.kind == "cleared_held"
    assert done.entry.key == "cleared:2026-11-02/bus-7/17"


def test_a_release_ends_where_a_clearing_at_that_rate_would() -> None:
    held = cleared("shenzhen-tong", row(None))
    later = AT + timedelta(days=1)
    out = release(ride("shenzhen-tong"), fare(5220), terms("shenzhen-tong"), row("0.9150"), later)
    assert held.entry is not None and out.entry is not None
    assert out.owed == Money(4791, CNY) and out.journey_id == held.journey_id
    both = {k: v for k, v in balances([held.entry, out.entry]).items() if v.minor}
    direct = cleared("shenzhen-tong", row("0.9150")).entry
    assert direct is not None and both == balances([direct])
    assert (out.entry.key, out.entry.at) == ("released:2026-11-02/bus-7/17", later)


def test_a_free_ride_has_neither_debt_nor_entry() -> None:
    done = cleared("shenzhen-tong", NotYet(AT), 0)
    assert (done.owed, done.entry) == (Money(0, CNY), None)


def test_a_fare_that_rounds_to_nothing_is_owed_by_nobody_and_the_operator_is_paid() -> None:
    done = cleared("shenzhen-tong", row("0.4"), 1)
    assert done.owed == Money(0, CNY) and done.entry is not None
    assert balances([done.entry])["operator_payable:kmb", HKD] == Money(-1, HKD)


def test_a_journey_that_is_cleared_again_has_an_id_an_entry_and_a_quote_of_its_own() -> None:
    done = clear(ride("shenzhen-tong"), fare(5220), terms("shenzhen-tong"), row("0.9150"), 2)
    assert isinstance(done, Cleared) and done.entry is not None
    assert done.journey_id == "2026-11-02/bus-7/17~2"
    assert done.entry.key == "cleared:2026-11-02/bus-7/17~2"


def test_a_rate_from_after_the_ride_or_of_another_wallet_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="after the ride"):
        cleared("shenzhen-tong", row("0.9", 1))
    with pytest.raises(AssertionError):
        clear(ride("alipay"), fare(1), terms("alipayhk"), None)
