"""What a reader decided by itself is judged again when it comes: abuse cases through HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway_world import AT, WALLET, World
from sealing_reader import SealingReader

from gateway.app import SERVICES
from transitpay.postgres import reference
from transitpay.postgres.reference import ReaderRegistration
from transitpay.postgres.trust import denials
from transitpay.postgres.trust.published_lists import KEPT_VERSIONS
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import Decision, ListVersions, Mode, Passage
from transitpay.runtime import issuer_keys
from transitpay.taps import Direction

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


async def sealing(
    world: World, client: Any, reader: str = "mtr-in-1", direction: Direction = Direction.ENTRY
) -> SealingReader:
    return await SealingReader(world, reader, direction).enrol(client)


async def refresh(*clients: Any) -> None:
    for client in clients:
        await client.app[SERVICES].lists.refresh()


async def taps(world: World) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in await world.rows(
            "select t.decision, t.reason, t.flags, r.difference, r.liable"
            " from tap t join tap_record r using (tapped_day, reader, sequence)"
            " order by t.at, t.reader, t.sequence"
        )
    ]


async def deny(world: World, phone: Any) -> None:
    conn = await world.db.connect("transitpay_gateway")
    rider = phone.authorisation.rider_id
    await denials.ask_revocation(conn, WALLET, rider, 1, "lost phone", world.clock.at)


def held(client: Any) -> ListVersions:
    lists = client.app[SERVICES].lists
    return ListVersions(lists.trust.version, lists.deny.version, 0)


async def enrolled_rider(world: World, phone: Any) -> None:
    conn = await world.db.connect("transitpay_gateway")
    await conn.execute(
        "insert into rider (issuer, rider_id, enrolled_at) values ($1, $2, $3)",
        WALLET, phone.authorisation.rider_id, AT,
    )  # fmt: skip


async def test_case_34_a_denial_that_an_offline_reader_could_not_know_is_the_issuers(
    world: World,
) -> None:
    """Opened at the entry before the list came; let out at the exit, which knows."""
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    await enrolled_rider(world, phone)
    old = held(client)
    world.clock.at = AT + SECOND
    await deny(world, phone)
    await refresh(client)
    new = held(client)
    assert new.deny > old.deny
    world.clock.at = AT + HOUR
    reader.scan(phone.draw(AT + HOUR), versions=old)
    reader.scan(phone.draw(AT + HOUR), versions=new)
    reader.scan(phone.draw(AT + HOUR), versions=new, reason=Reason.DENIED)
    found = await reader.upload(client)
    assert [it["difference"] for it in found["differences"]] == [
        "list_could_not_know",
        "list_ignored",
    ]
    assert await taps(world) == [
        ("accepted", None, ["denied"], "list_could_not_know", "issuer"),
        ("accepted", None, ["denied"], "list_ignored", "operator"),
        ("refused", "denied", [], None, None),
    ]
    out = await world.tap(client, "mtr-out-1", world.scan("mtr-out-1", phone.draw(AT + HOUR)))
    assert (out["open"], out["flags"]) == (True, ["denied"])


async def test_a_version_that_was_never_published_makes_the_operator_liable(world: World) -> None:
    """None held, one that has not come out; a version that is no longer served still counts."""
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    await enrolled_rider(world, phone)
    old = held(client)
    world.clock.at = AT + SECOND
    await deny(world, phone)
    conn = await world.db.connect("transitpay_gateway")
    await issuer_keys.compromise_key(conn, 2, "admin", world.clock.at)
    await refresh(client)
    new = held(client)
    for _ in range(KEPT_VERSIONS + 1):
        world.clock.at += SECOND
        await deny(world, world.phone())
        await refresh(client)
    oldest = await world.value("select min(version) from published_list where list = 'deny'")
    assert oldest > new.deny
    world.clock.at = AT + HOUR
    named = [old._replace(deny=n) for n in (0, 2**32 - 1, held(client).deny + 1, new.deny)]
    for versions in (old, *named):
        reader.scan(phone.draw(AT + HOUR), versions=versions)
    stranger = world.phone(key_id=2)
    for trust in (old.trust, 0, new.trust + 1, new.trust):
        reader.scan(stranger.draw(AT + HOUR), versions=new._replace(trust=trust))
    reader.scan(phone.draw(AT + HOUR), versions=named[0], flags=(Reason.LIST_STALE,))
    await reader.upload(client)
    assert [row[3:] for row in await taps(world)] == [
        ("list_could_not_know", "issuer"),
        ("list_never_published", "operator"),
        ("list_never_published", "operator"),
        ("list_never_published", "operator"),
        ("list_ignored", "operator"),
        ("list_could_not_know", "issuer"),
        ("list_never_published", "operator"),
        ("list_never_published", "operator"),
        ("list_ignored", "operator"),
        ("list_stale", "operator"),
    ]
    record = {**world.scan("mtr-in-2", phone.draw(AT + HOUR)), "opened": True}
    [found] = await world.batch(client, "mtr-in-2", [record])
    assert (found["difference"], found["liable"]) == ("list_could_not_know", "issuer")


async def test_a_denial_that_was_told_after_the_scan_is_no_difference(world: World) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    await enrolled_rider(world, phone)
    reader.scan(phone.draw(AT - HOUR), AT - HOUR)
    await deny(world, phone)
    await refresh(client)
    found = await reader.upload(client)
    assert found["differences"] == []
    assert await taps(world) == [("accepted", None, [], None, None)]


async def test_a_list_past_its_use_by_makes_the_operator_liable(world: World) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone(life_h=168)
    await enrolled_rider(world, phone)
    old = held(client)
    world.clock.at = AT + SECOND
    await deny(world, phone)
    await refresh(client)
    use_by = await world.value(
        "select substring(head from 25 for 4) from published_list"
        " where list = 'deny' and version = $1", old.deny,
    )  # fmt: skip
    stale_at = AT + timedelta(seconds=int.from_bytes(use_by) - int(AT.timestamp()))
    world.clock.at = stale_at
    for at, doubt in ((stale_at - SECOND, 0), (stale_at, 0), (stale_at, 1)):
        reader.scan(phone.draw(at), at, versions=old, uncertainty_s=doubt)
    await reader.upload(client)
    assert [row[3:] for row in await taps(world)] == [
        ("list_could_not_know", "issuer"),
        ("list_stale", "operator"),
        ("list_could_not_know", "issuer"),
    ]


async def test_case_20_a_key_compromised_between_drawing_and_upload(world: World) -> None:
    """Booked for the issuer where the list could not have come; refused where it had."""
    client = await world.start()
    reader, phone, stranger = await sealing(world, client), world.phone(), world.phone(key_id=2)
    old = held(client)
    conn = await world.db.connect("transitpay_gateway")
    world.clock.at = AT + SECOND
    await issuer_keys.compromise_key(conn, 1, "admin", world.clock.at)
    await refresh(client)
    new = held(client)
    world.clock.at = AT + HOUR
    for at in (AT - HOUR, AT + HOUR):
        reader.scan(phone.draw(at), at, versions=old)
    reader.scan(phone.draw(AT + HOUR), versions=new)
    reader.scan(stranger.draw(AT + HOUR), versions=new)
    reader.scan(phone.draw(AT + HOUR), versions=new, reason=Reason.KEY_COMPROMISED)
    await reader.upload(client)
    assert await taps(world) == [
        ("accepted", None, ["key_compromised"], "list_could_not_know", "issuer"),
        ("accepted", None, ["key_compromised"], "list_could_not_know", "issuer"),
        ("refused", "key_compromised", [], "list_ignored", "operator"),
        ("accepted", None, [], None, None),
        ("refused", "key_compromised", [], None, None),
    ]
    asked = await world.tap(client, "mtr-in-2", world.scan("mtr-in-2", phone.draw(AT + HOUR)))
    assert asked["reason"] == "key_compromised"


async def test_case_44_a_reader_that_was_dead_for_eight_days_loses_nothing(world: World) -> None:
    """Its authorisations are expired by arrival; each record is judged at its own time."""
    client = await world.start()
    reader = await sealing(world, client)
    for n in range(3):
        reader.scan(world.phone(life_h=25).draw(AT + HOUR * n), AT + HOUR * n)
    late = world.phone(life_h=24)
    reader.scan(late.draw(AT + HOUR), AT + HOUR)
    world.clock.at = AT + timedelta(days=8)
    found = await reader.upload(client)
    assert found["acknowledged_through"] == 4
    decisions = [(row[0], row[1], row[3]) for row in await taps(world)]
    assert decisions.count(("accepted", None, None)) == 1
    assert ("refused", "authorisation_expired", "out_of_time") in decisions
    assert await world.value("select through_at from reader_status") == AT + HOUR


async def test_case_47_a_record_from_the_future_is_set_apart_and_fails_no_batch(
    world: World,
) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    ahead = [20 * SECOND, 21 * SECOND, timedelta(days=2), -timedelta(days=36)]
    for off in ahead:
        begins = int((AT + off).timestamp()) - 60
        reader.scan(world.phone(not_before=begins).draw(AT + off), AT + off)
    reader.scan(world.phone().draw(AT + 30 * SECOND), AT + 30 * SECOND, uncertainty_s=10)
    found = await reader.upload(client)
    assert found["acknowledged_through"] == 5
    assert [it["reason"] for it in found["apart"]] == [
        "from_future",
        "day_out_of_range",
        "day_out_of_range",
    ]
    assert len(await taps(world)) == 2
    kept = await world.rows("select request ->> 'position' from tap_quarantine order by 1")
    assert [row[0] for row in kept] == ["2", "3", "4"]


async def reader_heard(world: World, client: Any) -> None:
    """The gateway has just looked the reader up: it remembers it as in service for 5 s."""
    await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", "nothing"))


async def test_case_47_a_decommissioned_reader_uploads_what_it_did_before(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    before = reader.scan(world.phone().draw(AT - SECOND), AT - SECOND)
    after = reader.scan(world.phone().draw(AT), AT)
    conn = await world.db.connect("transitpay_gateway")
    gone = ReaderRegistration(
        "mtr-in-1", "mtr", "mtr", 0, 0, "HUH", Direction.ENTRY, decommissioned_at=AT
    )
    await reader_heard(world, client)
    await reference.put_reader(conn, gone)
    world.clock.at = AT + HOUR
    fresh = await world.start()
    found = await reader.upload(client)
    assert found["acknowledged_through"] == 2
    assert [(it["sequence"], it["difference"]) for it in found["differences"]] == [
        (after.sequence, "after_decommissioning")
    ]
    assert [row[:2] for row in await taps(world)] == [
        ("accepted", None),
        ("refused", "after_decommissioning"),
    ]
    [alarm] = await world.rows("select kind, subject from reader_alarm")
    assert tuple(alarm) == ("after_decommissioning", f"sequence {after.sequence}")
    assert before.sequence != after.sequence
    body = world.scan("mtr-in-1", world.phone().draw(world.clock.at))
    await world.tap(fresh, "mtr-in-1", body, status=401)


async def test_what_shown_codes_were_at_open_gates_is_no_fault_of_the_reader(world: World) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    reader.scan(world.phone().draw(AT), mode=Mode.LOCAL)
    reader.scan(b"\xffnot a code", mode=Mode.LOCAL)
    await reader.upload(client)
    rows = await world.rows("select decision, reason, mode from tap order by sequence")
    assert [tuple(row) for row in rows] == [
        ("accepted", None, "local"),
        ("refused", "unreadable", "local"),
    ]
    assert [row[3] for row in await taps(world)] == [None, None]


async def test_an_outcome_in_a_later_batch_takes_the_journey_back_and_reads_the_rider_again(
    world: World,
) -> None:
    client = await world.start()
    reader = await sealing(world, client)
    scans = [reader.scan(world.phone().draw(AT)) for _ in range(3)]
    for scan, passage in zip(
        scans, (Passage.PASSED, Passage.NOT_PASSED, Passage.TIMED_OUT), strict=True
    ):
        reader.outcome(scan.sequence, passage)
    await reader.upload(client, reader.sealed(1, 3))
    assert {row[0] for row in await taps(world)} == {"accepted"}
    before = await world.value("select count(*) from tap_inbox")
    for _ in range(2):
        await reader.upload(client, reader.sealed(4, 6))
    assert [row[:2] for row in await taps(world)] == [
        ("accepted", None),
        ("refused", "not_passed"),
        ("refused", "timed_out"),
    ]
    assert await world.value("select count(*) from tap_inbox") == before + 2


async def test_a_scan_asked_online_is_one_tap_and_the_reader_has_the_last_word(
    world: World,
) -> None:
    """The first answer came, the second was too late: the reader had refused by itself."""
    client = await world.start()
    reader = await sealing(world, client)
    for decision in (Decision.ACCEPTED, Decision.REFUSED):
        code, sequence = world.phone().draw(AT), reader.sequence + 1
        asked = await world.tap(client, reader.id, world.scan(reader.id, code, sequence=sequence))
        assert asked["open"]
        reason = None if decision is Decision.ACCEPTED else Reason.STORE_FULL
        reader.scan(code, reason=reason)
    for _ in range(2):
        await reader.upload(client)
    rows = await world.rows(
        "select tier, decision, reason, reader_opened from tap order by sequence"
    )
    assert [tuple(row) for row in rows] == [
        ("online", "accepted", None, True),
        ("online", "refused", "store_full", False),
    ]


async def test_a_stale_or_forged_code_that_was_opened_is_its_operators(world: World) -> None:
    client = await world.start()
    reader, phone = await sealing(world, client), world.phone()
    reader.scan(phone.draw(AT - 61 * SECOND))
    reader.scan(phone.draw(AT - 61 * SECOND), uncertainty_s=1)
    forged = replace(phone, device_key=world.phone().device_key)
    reader.scan(forged.draw(AT))
    reader.scan(world.phone().draw(AT), reason=Reason.CODE_STALE)
    await reader.upload(client)
    assert [row[:2] + row[3:] for row in await taps(world)] == [
        ("refused", "code_stale", "out_of_time", "operator"),
        ("accepted", None, None, None),
        ("refused", "bad_device_signature", "unproven", "operator"),
        ("refused", "code_stale", "refused_good", "operator"),
    ]
