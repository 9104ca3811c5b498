"""A reader that fetches signed lists through HTTP and judges by them alone; who moves the lists."""

from __future__ import annotations

from typing import Any

from gateway_world import AT, WALLET, World

from gateway.app import SERVICES
from transitpay.ride_code.deny_list import DenyTable
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.list_taking import Refused, Taken, Unchanged, Wanted, take
from transitpay.ride_code.lists.signed_list import ListKind, SignedList, scope_of
from transitpay.ride_code.lists.trust_records import trust_list_of
from transitpay.ride_code.verdict import Accepted, ReaderRules, Rejected, judge
from transitpay.taps import Direction

TRUST, DENY, CONFIG = ListKind
READER = "mtr-in-1"


class Gate:
    """A reader that holds lists and asks for newer ones."""

    def __init__(self, world: World, client: Any, reader: str = READER) -> None:
        self.world, self.client, self.reader = world, client, reader
        self.held: dict[ListKind, SignedList] = {}
        self.came = b""

    def wanted(self, kind: ListKind) -> Wanted:
        scope = scope_of(self.reader) if kind is CONFIG else scope_of()
        return Wanted(kind, self.world.list_roots, scope)

    async def ask(self, kind: ListKind, *, whole: bool = False) -> str:
        """Ask once; what became of the answer, in one word."""
        held = self.held.get(kind)
        query = {"have": str(held.head.version)} if held and not whole else {}
        headers = self.world.auth(self.reader)
        path = f"/v1/lists/{kind}"
        async with self.client.get(path, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "application/octet-stream"
            self.came = await answer.read()
        found = take(self.came, held, self.wanted(kind), self.world.clock.at)
        match found:
            case Taken():
                self.held[kind] = SignedList.parse(b"".join(found.chunks()))
                return "taken"
            case Unchanged():
                return "unchanged"
            case Refused(reason):
                return str(reason)

    def version(self, kind: ListKind) -> int:
        return self.held[kind].head.version

    @property
    def was_delta(self) -> bool:
        return self.came[:4] == b"TPD1"

    def config(self) -> dict[str, str]:
        return config_values(self.held[CONFIG].table)

    def judge(self, code: str) -> Accepted | Rejected:
        """By its lists alone."""
        trust = trust_list_of(self.version(TRUST), self.held[TRUST].table)
        deny = DenyTable(self.version(DENY), self.held[DENY].table, trust.issuer_numbers())
        return judge(code, trust, deny, ReaderRules(0, 0, Direction.ENTRY), self.world.clock.at)


async def refresh(client: Any) -> None:
    await client.app[SERVICES].lists.refresh()


async def ask_settlement(world: World, action: str, *riders: str) -> None:
    conn = await world.db.connect("transitpay_settlement")
    for rider in riders:
        await conn.execute(
            "insert into deny_request (issuer, rider_id, action, reason, requested_at)"
            " values ($1, $2, $3, 'arrears', $4)", WALLET, rider, action, AT,
        )  # fmt: skip


async def told_config(world: World, client: Any) -> int:
    """The version of the config that a heartbeat tells of."""
    body = {"last_sequence": 0, "through_at": AT.isoformat()}
    headers = world.auth(READER)
    async with client.post("/v1/readers/heartbeat", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return int((await answer.json())["config_version"])
