"""``transitpay vectors``: whether an implementation gives the frozen verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from transitpay.cli.files import read_text
from transitpay.ride_code import golden
from transitpay.ride_code.golden import Difference

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def vectors() -> None:
    """Golden vectors: check this or another implementation of the ride code."""


@vectors.command()
@click.option("--file", type=_FILE, help="Vector file. [the one of this package]")
@click.option(
    "--answers",
    type=_FILE,
    help="Another implementation's answers: vector name -> {verdict, reason}. [ours]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(ctx: click.Context, file: Path | None, answers: Path | None, as_json: bool) -> None:
    """Compare answers with the frozen verdicts.

    Exit code 0: all are the same. 1: at least one differs or is missing. 2: a file is malformed.
    """
    known = golden.read_vectors(read_text(file) if file else golden.shipped_text())
    if answers is not None:
        given = golden.read_answers(read_text(answers))
    else:
        given = {v.name: golden.answer_of(golden.judge_vector(v)) for v in known}
    differences = golden.compare(known, given)
    if as_json:
        told = {
            "vectors": len(known),
            "agree": len(known) - len(differences),
            "differences": [_as_object(one) for one in differences],
        }
        click.echo(json.dumps(told))
    else:
        for one in differences:
            click.echo(f"{one.name}: expected {one.expected}, given {one.given or 'no answer'}")
        click.echo(f"{len(known) - len(differences)} of {len(known)} vectors agree")
    ctx.exit(1 if differences else 0)


@vectors.command()
@click.option("--json", "as_json", is_flag=True, help="Print the file as one JSON line.")
def show(as_json: bool) -> None:
    """Print the vector file, for use in another implementation's tests."""
    text = golden.shipped_text()
    click.echo(json.dumps(json.loads(text)) if as_json else text, nl=as_json)


def _as_object(one: Difference) -> dict[str, object]:
    return {
        "name": one.name,
        "expected": str(one.expected),
        "given": None if one.given is None else str(one.given),
    }
