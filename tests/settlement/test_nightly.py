"""A whole night on a real PostgreSQL and real HTTP: steps, breaks, reruns, corrections."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from file_wallet import back_row, paid_row, part_row
from night_scene import NEXT, Scene, scene
from night_seed import (
    CLOSE_AT,
    DAY,
    FILES_AT,
    NOON,
    WALLETS,
    Ride,
    cancel,
    doubtful,
    fingerprint,
    money_back,
    refund,
    ride,
)

from settlement.night_steps import deadline
from settlement.nightly import BREAKS, CLEAN, LATE
from transitpay.clock import day_start
from transitpay.sandbox.plan import KINDS, PlannedBreak

__all__ = ["scene"]  # the fixture


async def test_before_twenty_past_midnight_everything_waits_and_that_is_clean(
    scene: Scene,
) -> None:
    await scene.rides("alipayhk", 1)
    result = await scene.night(day_start(NEXT, 0, 19))
    assert result.exit_code == CLEAN
    assert await scene.steps() == {"close house": "WAITING"}


async def test_at_half_past_midnight_the_day_closes_and_the_files_wait(scene: Scene) -> None:
    await scene.rides("alipayhk")
    result = await scene.night(CLOSE_AT)
    assert result.exit_code == CLEAN
    steps = await scene.steps()
    assert (steps["close house"], steps["statements house"]) == ("DONE", "DONE")
    assert {steps[f"match {w}"] for w in WALLETS} == {"WAITING"}
    assert scene.wallets.asked == []
    names = await scene.conn.fetch("select name from statement_file order by name")
    assert [r["name"] for r in names] == [
        *(f"{w}_statement_20261030.csv" for w in ("alipay", "alipayhk")),
        "house_20261030.csv",
        "mtr_statement_20261030.csv",
        "payouts_20261030.csv",
        "shenzhen-metro_statement_20261030.csv",
        "shenzhen-tong_statement_20261030.csv",
    ]


async def test_a_clean_day_of_three_wallets_settles_every_receivable(scene: Scene) -> None:
    for wallet in WALLETS:
        scene.wallets.serve(wallet, DAY, map(paid_row, await scene.rides(wallet)))
    result = await scene.night()
    assert (result.exit_code, await scene.breaks()) == (CLEAN, [])
    books = await scene.held()
    assert {v for k, v in books.items() if "receivable" in k or "rider_due" in k} == {0}
    # 2 x 0.6 % of 60 CNY fares etc.: what is in transit is what the wallets' positions said.
    net = await scene.conn.fetch(
        "select participant, currency, amount_minor from net_position where participant = any($1)",
        list(WALLETS),
    )
    for row in net:
        key = f"wallet_in_transit:{row['participant']} {row['currency']}"
        assert books[key] == -row["amount_minor"]


async def test_an_empty_day_is_reconciled_too(scene: Scene) -> None:
    assert (await scene.night()).exit_code == CLEAN
    assert await scene.conn.fetchval("select count(*) from recon_run") == 3


@pytest.mark.parametrize("wallet", WALLETS)
async def test_each_planted_defect_is_exactly_one_break_of_its_kind(
    scene: Scene, wallet: str
) -> None:
    rides = await scene.rides(wallet, 16)
    layout = {"alipay": "alipay-cn", "shenzhen-tong": "transitpay"}.get(wallet, wallet)
    hkd = [r for r in rides if r.charge.currency.code == "HKD"] or rides
    plan = []
    for n, kind in enumerate(KINDS[layout]):
        own = "never-ours-1" if kind == "missing_internal" else rides[n].request_id
        if kind == "fx_mismatch":
            own = hkd[-1].request_id
        plan.append(PlannedBreak(kind, own))
    scene.wallets.serve(wallet, DAY, map(paid_row, rides), *plan)
    result = await scene.night()
    expected = {f"{p.kind} OPEN {p.request_id}" for p in plan if p.kind != "batch_total_mismatch"}
    found = set(await scene.breaks())
    if layout == "alipayhk":
        batch = {f for f in found if f.startswith("batch_total_mismatch")}
        assert len(batch) == 1
        found -= batch
    assert found == expected
    assert (result.exit_code, result.open_breaks) == (BREAKS, len(plan))
    assert (await scene.night(break_limit=len(plan))).exit_code == CLEAN


async def test_refunds_and_cancellations_match_in_their_layouts_own_way(scene: Scene) -> None:
    later = NOON + timedelta(hours=1)
    for wallet in WALLETS:
        back, gone = Ride(f"{wallet}b", wallet), Ride(f"{wallet}g", wallet)
        for it in (back, gone):
            await ride(scene.conn, it)
        await refund(scene.conn, back, later)
        await cancel(scene.conn, gone, later)
        rows = [paid_row(back), back_row(back, later)]
        if wallet != "alipay":
            rows += [paid_row(gone), back_row(gone, later, "CANCEL")]
        scene.wallets.serve(wallet, DAY, rows)
    assert ((await scene.night()).exit_code, await scene.breaks()) == (CLEAN, [])
    assert {v for k, v in (await scene.held()).items() if "receivable" in k} == {0}


async def test_parts_of_a_payment_that_go_back_are_rows_of_their_own_in_every_layout(
    scene: Scene,
) -> None:
    """Two refunds of one payment, and a charge that was made for what a correction missed."""
    later = NOON + timedelta(hours=1)
    for wallet in WALLETS:
        paid, further = Ride(f"{wallet}p", wallet), Ride(f"{wallet}f", wallet, fare=430)
        for it in (paid, further):
            await ride(scene.conn, it)
        rows = [paid_row(paid), paid_row(further)]
        for number, minor in ((1, 150), (2, 40)):
            await money_back(scene.conn, paid, number, minor, later)
            rows.append(part_row(paid, number, minor, later))
        scene.wallets.serve(wallet, DAY, rows)
    assert ((await scene.night()).exit_code, await scene.breaks()) == (CLEAN, [])
    assert {v for k, v in (await scene.held()).items() if "receivable" in k} == {0}


async def test_running_again_changes_no_row(scene: Scene) -> None:
    rides = await scene.rides("shenzhen-tong")
    plan = PlannedBreak("missing_external", rides[3].request_id)
    scene.wallets.serve("shenzhen-tong", DAY, map(paid_row, rides), plan)
    first = await scene.night()
    before = await fingerprint(scene.conn)
    again = await scene.night(FILES_AT + timedelta(hours=2))
    assert await fingerprint(scene.conn) == before
    assert (again.exit_code, again.open_breaks) == (first.exit_code, 1)


async def test_waiting_again_changes_no_row_until_the_deadline_is_an_exit_code(
    scene: Scene,
) -> None:
    scene.wallets.ready = False
    assert (await scene.night()).exit_code == CLEAN
    before = await fingerprint(scene.conn)
    assert (await scene.night(deadline(DAY))).exit_code == CLEAN
    assert (await scene.night(deadline(DAY) + timedelta(seconds=1))).exit_code == LATE
    assert await fingerprint(scene.conn) == before


async def test_a_wallet_that_is_away_holds_up_nobody_else(scene: Scene) -> None:
    scene.wallets.down.add("alipay")
    result = await scene.night()
    assert result.exit_code == CLEAN
    steps = await scene.steps()
    assert (steps["match alipay"], steps["match alipayhk"]) == ("WAITING", "DONE")
    scene.wallets.down.clear()
    await scene.night(FILES_AT + timedelta(minutes=5))
    assert set((await scene.steps()).values()) == {"DONE"}


@pytest.mark.parametrize(
    ("wallet", "change"),
    [
        ("shenzhen-tong", lambda raw: raw[: len(raw) * 2 // 3]),
        ("shenzhen-tong", lambda raw: raw.replace(b"-CNY,12,,", b"-CNY,13,,")),
        ("alipay", lambda raw: raw[:-2]),
        ("alipayhk", lambda raw: raw.replace(b"Amount,Fee", b"Fee,Amount")),
    ],
)
async def test_a_file_that_cannot_be_read_is_one_break_and_a_corrected_one_heals_it(
    scene: Scene, wallet: str, change: Any
) -> None:
    rides = await scene.rides(wallet)
    scene.wallets.serve(wallet, DAY, map(paid_row, rides))
    good = scene.wallets.files[wallet, DAY]
    scene.wallets.alter(wallet, DAY, "transactions", change)
    result = await scene.night()
    name = next(f.name for f in good if f.kind == "transactions")
    assert await scene.breaks() == [f"unparseable_row OPEN {name}"]
    assert result.exit_code == BREAKS
    books = await scene.held()
    assert not any(k.startswith(f"wallet_in_transit:{wallet}") for k in books)
    before = await fingerprint(scene.conn)
    await scene.night(FILES_AT + timedelta(minutes=9))
    assert await fingerprint(scene.conn) == before
    scene.wallets.files[wallet, DAY] = good
    assert (await scene.night(FILES_AT + timedelta(minutes=10))).exit_code == CLEAN
    assert await scene.breaks() == []


async def test_a_late_item_is_carried_and_found_in_the_next_days_file(scene: Scene) -> None:
    edge = Ride("edge", "shenzhen-tong", at=day_start(NEXT) - timedelta(seconds=1))
    await ride(scene.conn, edge)
    assert (await scene.night()).exit_code == CLEAN
    assert await scene.breaks() == ["timing CARRIED edge-1"]
    scene.wallets.serve("shenzhen-tong", NEXT, [paid_row(edge), paid_row(Ride("x", at=FILES_AT))])
    await ride(scene.conn, Ride("x", at=FILES_AT))
    result = await scene.night(FILES_AT + timedelta(days=1), NEXT)
    assert (result.exit_code, await scene.breaks(NEXT)) == (CLEAN, [])
    state = await scene.conn.fetchval("select state from recon_break where day = $1", DAY)
    assert state == "AUTO_RESOLVED"


async def test_a_payment_nobody_was_sure_of_is_captured_by_the_file(scene: Scene) -> None:
    unsure = Ride("unsure")
    await ride(scene.conn, unsure, captured=False, state="UNKNOWN")
    scene.wallets.serve("shenzhen-tong", DAY, [paid_row(unsure)])
    assert (await scene.night()).exit_code == CLEAN
    assert await scene.breaks() == ["timing CARRIED unsure-1"]
    states = "select state from charge union all select state from charge_attempt"
    assert {r["state"] for r in await scene.conn.fetch(states)} == {"CAPTURED"}
    result = await scene.night(FILES_AT + timedelta(days=1), NEXT)
    assert (result.exit_code, await scene.breaks(NEXT)) == (CLEAN, [])
    assert {v for k, v in (await scene.held()).items() if "receivable" in k} == {0}


async def test_a_payment_that_two_files_do_not_hold_is_absent(scene: Scene) -> None:
    await ride(scene.conn, Ride("gone"), captured=False, state="UNKNOWN")
    await scene.night()
    await scene.night(FILES_AT + timedelta(days=1), NEXT)
    assert await scene.conn.fetchval("select state from charge_attempt") == "ABSENT"


async def test_a_payment_that_stood_in_a_file_over_another_amount_is_never_absent(
    scene: Scene,
) -> None:
    unsure = Ride("unsure")
    await ride(scene.conn, unsure, captured=False, state="UNKNOWN")
    row = paid_row(unsure)
    other = replace(row, amount_minor=row.amount_minor + 100)
    scene.wallets.serve("shenzhen-tong", DAY, [other])
    for days in range(5):
        later = timedelta(days=days)
        await scene.night(FILES_AT + later, DAY + later)
    assert await scene.conn.fetchval("select state from charge_attempt") == "UNKNOWN"
    assert await scene.conn.fetchval("select state from charge") == "IN_FLIGHT"


async def test_a_refund_in_doubt_is_made_by_the_file_that_has_it_and_by_no_other(
    scene: Scene,
) -> None:
    for wallet in WALLETS:
        listed = []
        for name, told in (("h", 150), ("o", 151), ("n", 0)):
            it = Ride(f"{wallet}{name}", wallet)
            await ride(scene.conn, it)
            await doubtful(scene.conn, it, 150, NOON)
            rows = [part_row(it, 1, told, NOON)] if told else []
            listed += [paid_row(it), *rows]
        scene.wallets.serve(wallet, DAY, listed)
    await scene.night()
    found = await scene.conn.fetch("select request_id from refund where state = 'REFUNDED'")
    assert {r["request_id"] for r in found} == {f"{wallet}h-r1" for wallet in WALLETS}
    assert [b for b in await scene.breaks() if "h-r1" in b] == [
        f"timing CARRIED {wallet}h-r1" for wallet in sorted(WALLETS)
    ]
    await scene.night(FILES_AT + timedelta(days=1), NEXT)
    assert [b for b in await scene.breaks(NEXT) if "h-r1" in b] == []
    booked = "select count(*) from entry where kind = 'refunded'"
    assert await scene.conn.fetchval(booked) == len(WALLETS)


async def test_what_we_took_for_refused_and_the_wallet_lists_is_reported_and_taken(
    scene: Scene,
) -> None:
    refused = Ride("no")
    await ride(scene.conn, refused, captured=False, state="DECLINED")
    scene.wallets.serve("shenzhen-tong", DAY, [paid_row(refused)])
    assert (await scene.night()).exit_code == BREAKS
    assert await scene.breaks() == ["status_mismatch OPEN no-1"]
    assert await scene.conn.fetchval("select state from charge_attempt") == "CAPTURED"
    assert (await scene.night(FILES_AT + timedelta(days=1), NEXT)).exit_code == CLEAN
    assert await scene.breaks(NEXT) == []


async def test_the_same_row_in_the_next_days_file_is_a_duplicate(scene: Scene) -> None:
    it = Ride("a")
    await ride(scene.conn, it)
    await ride(scene.conn, Ride("b", at=FILES_AT))
    scene.wallets.serve("shenzhen-tong", DAY, [paid_row(it)])
    scene.wallets.serve("shenzhen-tong", NEXT, [paid_row(it), paid_row(Ride("b", at=FILES_AT))])
    await scene.night(FILES_AT + timedelta(days=1), NEXT)
    assert await scene.breaks() == []
    assert await scene.breaks(NEXT) == ["duplicate_external OPEN a-1"]
