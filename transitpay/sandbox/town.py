"""Starts a whole sandbox as real processes: PostgreSQL, gateway, settlement, wallets, rate feeds.

All of them get one accelerated clock. The folder of a sandbox holds ``services`` (the home of
gateway and settlement), ``wallets`` (which no service is told of), ``log`` and ``run``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from transitpay.clock import ScaledClock, SystemClock, day_start
from transitpay.errors import Conflict
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.postgres import schema
from transitpay.postgres.pool import connect, database_errors
from transitpay.postgres.server.embedded import EmbeddedPostgres
from transitpay.runtime.config import SANDBOX, Settings, child_environment
from transitpay.runtime.key_files import ensure_sandbox_list_key, read_roots
from transitpay.runtime.supervisor import ChildSpec, Supervisor, free_port, require_port
from transitpay.runtime.tariff_folder import load_book
from transitpay.sandbox.places import SCANNED_AGAIN, Place, Places, make_places
from transitpay.sandbox.registration import WALLET_KINDS, Sandbox, Tokens, register
from transitpay.sandbox.sections import section_tariffs, with_versions

HOST = "127.0.0.1"
#: Riders enrol at 22:00 on the evening before.
EVENING = timedelta(hours=2)
FEEDS = ("a", "b")
#: Where the business day of a sandbox begins, in local hours.
FIRST_HOUR = 6
#: Where its night begins: everybody is home.
_NIGHT_HOUR = 22


@dataclass(frozen=True, slots=True)
class TownPlan:
    """What to start. ``first_day`` begins ``lead_s`` seconds after the processes are started.

    It begins at ``first_hour``, local time. After the last ride the clock may run at another speed,
    ``night_speed``.
    """

    folder: Path
    data: Path | None
    seed: int
    speed: int
    lead_s: float
    first_day: date
    gateway_port: int | None = None
    gateways: int = 1
    plants: int | None = None
    faults_permille: int = 40
    first_hour: int = FIRST_HOUR
    night_speed: int | None = None


@dataclass(frozen=True, slots=True)
class Town:
    """A sandbox that runs."""

    plan: TownPlan
    settings: Settings
    sandbox: Sandbox
    clock: ScaledClock
    book: TariffBook
    places: Places
    tokens: Tokens
    supervisor: Supervisor

    @property
    def gateway_url(self) -> str:
        """Where the gateway listens."""
        return self.sandbox.gateway_url

    @property
    def owner_dsn(self) -> str:
        """Where the owner of the tables connects."""
        return self.settings.dsn(schema.OWNER)

    @property
    def list_roots(self) -> Mapping[int, bytes]:
        """The root keys that its readers have built in."""
        return read_roots(self.settings.home / "keys")

    def by_its_clock(self) -> Town:
        """The same town, whose processes are told its clock."""
        return replace(self, settings=replace(self.settings, clock_text=str(self.clock)))

    def environment(self) -> Mapping[str, str]:
        """What gateway and settlement are told."""
        return child_environment(self.settings)


#: What is done on the evening before; answers at which speed the day is to run.
Evening = Callable[[Town], Awaitable[int]]


@asynccontextmanager
async def running_town(
    plan: TownPlan,
    on_event: Callable[[str], None],
    readers: Sequence[Place] | None = None,
    evening: Evening | None = None,
) -> AsyncIterator[Town]:
    """A sandbox while the block runs; every process of it ends with the block.

    ``readers`` are registered instead of those of the town's own places. ``evening`` runs before
    the accelerated clock does, at the pace of the machine, with gateway and wallets alone; how fast
    that clock runs is what it answers, for by then it has seen how fast the machine is.

    Raises: MalformedInput (a setting, a data folder), TemporarilyUnavailable (a port, the
    database, a process that does not start), Conflict (a database that is in use).
    """
    published = load_book(plan.data)
    sections = section_tariffs(published, SCANNED_AGAIN, plan.first_day)
    book = with_versions(published, sections)
    places = make_places(book, plan.seed)
    settings, sandbox = _layout(plan)
    async with Supervisor(plan.folder, on_event) as supervisor:
        on_event("starting PostgreSQL")
        if settings.database_url is None:
            await supervisor.start_database(EmbeddedPostgres(settings.home, pg_bin=settings.pg_bin))
        tokens = await _prepare_database(
            settings, sandbox, readers or places.readers, sections,
            day_start(plan.first_day),
        )  # fmt: skip
        town = Town(
            plan, settings, sandbox, _evening_clock(plan), book, places, tokens, supervisor
        ).by_its_clock()
        if evening is not None:
            on_event("starting gateway and wallets for the evening before")
            town = _at_speed(town, await _run_evening(town, evening))
        town = replace(town, clock=_day_clock(town.plan)).by_its_clock()
        on_event("starting gateway, settlement, three wallets and two rate feeds")
        await asyncio.gather(*(supervisor.start(spec) for spec in _specs(town)))
        yield town


async def _run_evening(town: Town, evening: Evening) -> int:
    specs = [spec for spec in _specs(town) if spec.name.startswith(("gateway", "wallet-"))]
    await asyncio.gather(*(town.supervisor.start(spec) for spec in specs))
    speed = await evening(town)
    await asyncio.gather(*(town.supervisor.stop(spec.name) for spec in specs))
    return speed


def _at_speed(town: Town, speed: int) -> Town:
    """The town whose day runs so fast."""
    settings = replace(town.settings, rate_lead_s=_rate_lead_s(speed))
    return replace(town, plan=replace(town.plan, speed=speed), settings=settings)


def _rate_lead_s(speed: int) -> int:
    return max(60, 5 * speed)


def _evening_clock(plan: TownPlan) -> ScaledClock:
    """The evening before, at the pace of the machine."""
    return ScaledClock(day_start(plan.first_day) - EVENING, SystemClock().now(), 1)


def _day_clock(plan: TownPlan) -> ScaledClock:
    """The one accelerated clock of the day and its night."""
    begins_at = SystemClock().now() + timedelta(seconds=plan.lead_s)
    start = day_start(plan.first_day, plan.first_hour)
    if plan.night_speed is None:
        return ScaledClock(start, begins_at, plan.speed)
    night_at = day_start(plan.first_day, _NIGHT_HOUR)
    return ScaledClock(start, begins_at, plan.speed, night_at, plan.night_speed)


def _layout(plan: TownPlan) -> tuple[Settings, Sandbox]:
    """Folders, ports and addresses."""
    given = Settings.from_environment()
    port = plan.gateway_port or free_port(HOST)
    require_port(HOST, port, field="--port")
    url = f"http://{HOST}:{port}"
    feeds = {name: free_port(HOST) for name in FEEDS}
    settings = replace(
        given,
        home=plan.folder / "services",
        data=plan.data,
        env=SANDBOX,
        gateway_host=HOST,
        gateway_port=port,
        settlement_port=free_port(HOST),
        notify_url=f"{url}/aps/api/v1/payments/notifyPayment",
        rate_feeds=tuple(f"http://{HOST}:{feed}" for feed in feeds.values()),
        rate_lead_s=_rate_lead_s(plan.speed),
    )
    settings.home.mkdir(parents=True, exist_ok=True)
    ports = {kind.wallet: free_port(HOST) for kind in WALLET_KINDS}
    sandbox = Sandbox(
        settings.home, plan.folder / "wallets", url, ports, plan.seed, plan.faults_permille,
        plan.plants,
    )  # fmt: skip
    return settings, sandbox


async def _prepare_database(
    settings: Settings,
    sandbox: Sandbox,
    readers: Sequence[Place],
    tariffs: Sequence[Tariff],
    at: datetime,
) -> Tokens:
    ensure_sandbox_list_key(settings.home, at)
    made = await schema.init(settings.admin_dsn(), at=at, role_password=settings.role_password)
    if not made:
        raise Conflict("database_in_use", "a sandbox needs an empty database", field="DATABASE_URL")
    conn = await connect(settings.dsn(schema.OWNER), application_name="transitpay-sandbox")
    try:
        with database_errors():
            return await register(conn, sandbox, readers, tariffs, at)
    finally:
        await conn.close()


def _specs(town: Town) -> list[ChildSpec]:
    env = town.environment()
    python = sys.executable
    ready = f"{town.gateway_url}/healthz"
    settled = f"http://{HOST}:{town.settings.settlement_port}/healthz"
    names = ["gateway", *(f"gateway-{n}" for n in range(2, town.plan.gateways + 1))]
    return [
        *(ChildSpec(name, (python, "-m", "gateway"), env, ready) for name in names),
        ChildSpec("settlement", (python, "-m", "settlement"), env, settled),
        *_partner_specs(town),
    ]


def _partner_specs(town: Town) -> Iterator[ChildSpec]:
    """Wallets and feeds are strangers: they get the clock, and no home, database or password."""
    stranger = replace(
        town.settings, home=town.sandbox.wallets_folder, database_url=None, role_password=None
    )
    env = child_environment(stranger)
    for wallet, port in town.sandbox.wallet_ports.items():
        folder = str(town.sandbox.wallet_folder(wallet))
        argv = [sys.executable, "-m", "transitpay.sandbox.wallet", "--wallet", wallet]
        argv += ["--port", str(port), "--folder", folder]
        url = town.sandbox.wallet_url(wallet)
        yield ChildSpec(f"wallet-{wallet}", tuple(argv), env, f"{url}/healthz")
    for name, url in zip(FEEDS, town.settings.rate_feeds, strict=True):
        argv = [sys.executable, "-m", "transitpay.sandbox.rate_feed", "--name", name]
        argv += ["--port", url.rpartition(":")[2], "--seed", str(town.plan.seed)]
        yield ChildSpec(f"feed-{name}", tuple(argv), env, f"{url}/healthz")
