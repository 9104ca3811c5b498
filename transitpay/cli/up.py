"""``transitpay up``: PostgreSQL, gateway and settlement on one machine, restarted if they die."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace

import click

from transitpay.errors import MalformedInput
from transitpay.postgres import schema
from transitpay.postgres.server.embedded import EmbeddedPostgres
from transitpay.runtime.config import SANDBOX, Settings, child_environment
from transitpay.runtime.key_files import ensure_sandbox_list_key
from transitpay.runtime.supervisor import ChildSpec, Supervisor, require_port, wait_for_signal
from transitpay.runtime.tariff_folder import load_book


@click.command()
@click.option(
    "--gateways", type=click.IntRange(1, 16), default=1, show_default=True,
    help="Gateway processes; they share one port.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(1, 65535),
    help="The gateway's port; by default TRANSITPAY_GATEWAY_PORT.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object once all is ready.")
def up(gateways: int, port: int | None, as_json: bool) -> None:
    """Start PostgreSQL, gateway and settlement; stop with Ctrl-C.

    Everything else comes from the settings (TRANSITPAY_HOME, DATABASE_URL, ...). The database is
    made if there is none. What dies is started again, and each restart is told on stderr.
    """
    settings = Settings.from_environment()
    if port is not None:
        settings = replace(settings, gateway_port=port)
    if settings.gateway_port == 0:
        raise MalformedInput(
            "bad_setting", "name a port: 0 is for tests", field="TRANSITPAY_GATEWAY_PORT"
        )
    load_book(settings.data)
    require_port(settings.gateway_host, settings.gateway_port, field="--port")
    asyncio.run(_serve(settings, gateways, as_json))


async def _serve(settings: Settings, gateways: int, as_json: bool) -> None:
    async with Supervisor(settings.home, lambda text: click.echo(text, err=True)) as supervisor:
        if settings.database_url is None:
            await supervisor.start_database(EmbeddedPostgres(settings.home, pg_bin=settings.pg_bin))
        await schema.init(
            settings.admin_dsn(),
            at=settings.clock().now(),
            role_password=settings.role_password,
        )
        if settings.env == SANDBOX:
            ensure_sandbox_list_key(settings.home, settings.clock().now())
        env = child_environment(settings)
        url = f"http://{settings.gateway_host}:{settings.gateway_port}"
        gateway = (sys.executable, "-m", "gateway")
        for number in range(1, gateways + 1):
            name = "gateway" if number == 1 else f"gateway-{number}"
            await supervisor.start(ChildSpec(name, gateway, env, f"{url}/healthz"))
        await supervisor.start(ChildSpec("settlement", (sys.executable, "-m", "settlement"), env))
        said = {"gateway": url, "console": f"{url}/console", "home": str(settings.home)}
        if as_json:
            click.echo(json.dumps(said))
        else:
            for name, text in said.items():
                click.echo(f"{name}: {text}")
            click.echo("Ctrl-C stops it.")
        await wait_for_signal()
