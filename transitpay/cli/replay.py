"""``transitpay replay``: real card taps sent as ride codes down the whole road."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from transitpay.cli import replay_tables
from transitpay.cli.sandbox_home import run_to_end, sandbox_folder
from transitpay.cli.szt_options import data_folder, data_option, szt_option
from transitpay.cli.tables import new_progress
from transitpay.clock import LOCAL_ZONE
from transitpay.postgres.journeys.replay_totals import Waiting
from transitpay.sandbox.replay.outcome import Replayed
from transitpay.sandbox.replay.road import Sent
from transitpay.sandbox.replay.run import ReplayOptions, run_replay


class _Terminal:
    """Tells people on stderr how the replay gets on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = new_progress(console)
        self._riders = self._bar.add_task("riders enrolled", total=None)
        self._taps = self._bar.add_task("taps sent", total=None)

    def __enter__(self) -> _Terminal:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def event(self, text: str) -> None:
        self._console.print(text, highlight=False)

    def planned(self, scans: int, cards: int) -> None:
        self._bar.update(self._riders, total=cards)
        self._bar.update(self._taps, total=scans)

    def progress(self, sent: Sent, at: datetime) -> None:
        self._bar.update(self._riders, completed=sent.enrolled)
        self._bar.update(self._taps, completed=sent.sent, description=f"{_clock(at)} taps sent")

    def waiting(self, left: Waiting, at: datetime) -> None:
        text = f"{_clock(at)} {left.riders} riders and {left.charges} charges wait"
        self._bar.update(self._taps, description=text)


@click.command()
@szt_option
@click.option(
    "--limit", type=click.IntRange(min=1),
    help="At most so many taps: whole cards, spread evenly over all of them.",
)  # fmt: skip
@data_option
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False),
    help="Keep everything in this new or empty folder; by default a temporary one.",
)  # fmt: skip
@click.pass_context
def replay(
    ctx: click.Context,
    szt: Path,
    limit: int | None,
    data: Path | None,
    as_json: bool,
    home: Path | None,
) -> None:
    """Replay real Shenzhen card taps as ride codes.

    Card numbers are hashed with a key that is forgotten. Days are shifted by whole weeks into
    the sandbox's time. Exit code 0: every acknowledged tap is in one journey or set aside with
    its reason, the rides that stand are those that everything sent makes, each wallet debit is one
    captured charge, and the books balance. 1: not so.
    """
    data = data_folder(szt, data)
    with sandbox_folder(home) as folder, _Terminal(Console(stderr=True)) as terminal:
        options = ReplayOptions(szt, limit, folder, data)
        found = run_to_end(run_replay(options, terminal, _after(as_json)))
    ctx.exit(1 if found.faults else 0)


def _after(as_json: bool) -> Callable[[Replayed], Awaitable[None]]:
    """What is said at the end, while everything still runs."""

    async def say(found: Replayed) -> None:
        replay_tables.show(found.totals, Console(stderr=True) if as_json else Console())
        if as_json:
            print(json.dumps(found.totals, default=str, ensure_ascii=False), flush=True)

    return say


def _clock(at: datetime) -> str:
    return f"{at.astimezone(LOCAL_ZONE):%H:%M}"
