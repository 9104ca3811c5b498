"""``python -m transitpay.sandbox.wallet``: one wallet partner of the sandbox, as a process."""

from __future__ import annotations

from pathlib import Path

import click
from aiohttp import web

from transitpay.errors import RuleViolation
from transitpay.runtime.config import SANDBOX, Settings
from transitpay.sandbox.rate_feed import Feed, ecb_reference
from transitpay.sandbox.wallet.config import read_config
from transitpay.sandbox.wallet.server import make_app


@click.command()
@click.option("--wallet", required=True, help="The wallet's id, such as alipayhk.")
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Port to listen on.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="The folder with wallet.json, its keys and its book.",
)
def main(wallet: str, port: int, folder: Path) -> None:
    """Serve the partner protocol, the wallet's files and its app."""
    settings = Settings.from_environment()
    if settings.env != SANDBOX:
        raise RuleViolation(
            "sandbox_only", "sandbox wallets run only in a sandbox", field="TRANSITPAY_ENV"
        )
    config = read_config(folder)
    if config.wallet != wallet:
        raise RuleViolation("other_wallet", f"is of {config.wallet}", field="--folder")
    clock = settings.clock()
    market = Feed(f"quote-{wallet}", config.seed, ecb_reference(settings.data, clock.now()))
    app = make_app(folder, clock, market)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
