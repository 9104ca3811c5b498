"""Ministry of Transport codes at the real gateway: one code opens one gate, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gateway_world import AT, World
from sealing_reader import SealingReader

from gateway.app import SERVICES
from transitpay.postgres.reference import Participant
from transitpay.ride_code.mot import layout
from transitpay.ride_code.signing import Algorithm
from transitpay.runtime import access
from transitpay.sandbox.mot_issuer import SandboxIssuer, SandboxSm2Key, draw
from transitpay.taps import Direction

ISSUER = "t-union"


class Card:
    """An app of the national card: one user key, one authorisation, under a new root."""

    def __init__(self) -> None:
        self.issuer = SandboxIssuer(SandboxSm2Key.generate(), 3, SandboxSm2Key.generate())
        self.user = SandboxSm2Key.generate()
        self.expires_at = int(AT.timestamp()) + 7 * 86400

    def draw(self, at: datetime, **changes: Any) -> str:
        second = int(at.timestamp())
        authorised = self.issuer.authorise(self.user.public.data, self.expires_at, **changes)
        return layout.write_text(draw(self.issuer, authorised, self.user, second))

    async def enrol(self, world: World) -> None:
        """The root stands in the trust list, and two gates of Shenzhen in the register."""
        conn = await world.db.connect("transitpay_gateway")
        await access.enrol_participant(conn, Participant(ISSUER, "wallet", ISSUER, "CNY"), AT)
        await access.enrol_issuer_key(
            conn, ISSUER, layout.INTEROPERABLE_ROOTS + 3, world.key_folder, AT - timedelta(1),
            destinations=0b10, modes=0b11, algorithm=Algorithm.SM2,
            public_key=self.issuer.root.public.data,
        )  # fmt: skip
        for name, direction in (("szt-in", Direction.ENTRY), ("szt-out", Direction.EXIT)):
            await world.reader(conn, name, "mtr", direction, destination=1, passback_s=0)


async def test_one_code_is_one_tap_and_then_a_replay(world: World) -> None:
    card = Card()
    await card.enrol(world)
    client = await world.start()
    code = card.draw(AT)
    first = await world.tap(client, "szt-in", world.scan("szt-in", code))
    assert first["decision"] == "accepted" and first["open"] is True and first["flags"] == []
    near = AT + timedelta(seconds=1)
    again = await world.tap(client, "szt-in", world.scan("szt-in", code, at=near))
    assert (again["decision"], again["open"]) == ("already_answered", False)
    later = AT + timedelta(seconds=9)
    replayed = await world.tap(client, "szt-out", world.scan("szt-out", code, at=later))
    assert (replayed["reason"], replayed["open"]) == ("replay", False)
    fresh = card.draw(AT + timedelta(seconds=9))
    leaving = await world.tap(client, "szt-out", world.scan("szt-out", fresh, at=later))
    assert leaving["open"] is True and leaving["flags"] == []
    rows = await world.rows("select issuer, rider_id, slot, decision from tap order by reader, at")
    rider = layout.parse(layout.read_text(code)).authorisation.rider_id
    assert [tuple(row) for row in rows if row["decision"] == "accepted"] == [
        (ISSUER, rider, 0, "accepted")
    ] * 2
    [uses] = await world.rows("select count(*), min(not_before) from code_use")
    assert tuple(uses) == (2, AT.replace(hour=0))


async def test_a_resigned_code_of_the_same_second_is_a_replay(world: World) -> None:
    card = Card()
    await card.enrol(world)
    client = await world.start()
    assert (await world.tap(client, "szt-in", world.scan("szt-in", card.draw(AT))))["open"]
    card.expires_at += 60
    again = card.draw(AT, extension=b"other bytes")
    later = AT + timedelta(seconds=9)
    answer = await world.tap(client, "szt-in", world.scan("szt-in", again, at=later))
    assert (answer["reason"], answer["open"]) == ("replay", False)


async def test_what_is_wrong_with_a_code_is_said_as_for_any_other(world: World) -> None:
    card, stranger = Card(), Card()
    await card.enrol(world)
    client = await world.start()
    code = card.draw(AT)
    told = {
        "code_stale": card.draw(AT - timedelta(seconds=601)),
        "code_from_future": card.draw(AT + timedelta(seconds=21)),
        "unknown_key": card.draw(AT, local=True),
        "bad_issuer_signature": stranger.draw(AT),
        "unreadable": code[:-1],
    }
    for reason, text in told.items():
        answer = await world.tap(client, "szt-in", world.scan("szt-in", text))
        assert (answer["reason"], answer["open"]) == (reason, False)
    answer = await world.tap(client, "mtr-in-1", world.scan("mtr-in-1", code))
    assert answer["reason"] == "destination_not_allowed"


async def test_an_account_in_debt_is_denied_until_it_is_settled(world: World) -> None:
    card = Card()
    await card.enrol(world)
    client = await world.start()
    rider = layout.parse(layout.read_text(card.draw(AT))).authorisation.rider_id
    settlement = await world.db.connect("transitpay_settlement")
    told = []
    for second, action in enumerate(("deny", "still", "release")):
        if action != "still":
            await settlement.execute(
                "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
                " values ($1, $2, $3, 'arrears', $4)", ISSUER, rider, action, AT,
            )  # fmt: skip
        await client.app[SERVICES].lists.refresh()
        card.expires_at += 86400
        at = AT + timedelta(seconds=second)
        answer = await world.tap(client, "szt-in", world.scan("szt-in", card.draw(at), at=at))
        told.append(answer["reason"] or answer["decision"])
    assert told == ["denied", "denied", "accepted"]


async def test_a_record_of_a_reader_holds_the_bytes_and_is_the_tap_that_was_asked(
    world: World,
) -> None:
    card = Card()
    await card.enrol(world)
    client = await world.start()
    reader = await SealingReader(world, "szt-in").enrol(client)
    asked, alone = card.draw(AT), card.draw(AT + timedelta(seconds=1))
    known = reader.scan(layout.read_text(asked), AT)
    new = reader.scan(layout.read_text(alone), AT + timedelta(seconds=1))
    body = world.scan("szt-in", asked, at=AT, sequence=known.sequence)
    assert (await world.tap(client, "szt-in", {**body, "direction": "entry"}))["open"]
    found = await reader.upload(client)
    assert found["differences"] == [] and found["apart"] == []
    rows = await world.rows("select sequence, tier, decision, issuer from tap order by sequence")
    assert [tuple(row) for row in rows] == [
        (known.sequence, "online", "accepted", ISSUER),
        (new.sequence, "batch", "accepted", ISSUER),
    ]
    assert await world.value("select count(*) from clone_alarm") == 0
    assert await world.value("select count(*) from code_use") == 2
