"""``transitpay vectors``: whether an implementation gives the frozen answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from transitpay.cli.files import read_text
from transitpay.ride_code.golden import protocol as protocol_vectors
from transitpay.ride_code.golden import ride_codes as golden
from transitpay.ride_code.golden.ride_codes import Difference
from transitpay.ride_code.mot.signing import available

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
#: The vector files of this package.
SETS: dict[str, Callable[[], str]] = {
    "ride-code": golden.shipped_text,
    "mot": partial(golden.shipped_text, "mot"),
    "reader-protocol": protocol_vectors.shipped_text,
}
_SET = click.Choice(list(SETS))


@click.group()
def vectors() -> None:
    """Golden vectors: check this or another implementation of ride code and reader protocol."""


@vectors.command()
@click.option("--set", "of", type=_SET, help="Which vectors. [all; --answers: ride-code]")
@click.option("--file", type=_FILE, help="Another vector file.")
@click.option(
    "--answers",
    type=_FILE,
    help="Another implementation's answers: vector name -> answer. [ours]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(
    ctx: click.Context, of: str | None, file: Path | None, answers: Path | None, as_json: bool
) -> None:
    """Compare answers with the frozen ones.

    Exit code 0: all are the same. 1: at least one differs or is missing. 2: a file is malformed.
    """
    if file is not None and of is not None:
        raise click.UsageError("give --set or --file")
    if file is not None:
        texts = [read_text(file)]
    else:
        # Without the extra nobody here can judge the second format.
        ours = [name for name in SETS if name != "mot" or available()]
        chosen = [of or "ride-code"] if of or answers else ours
        texts = [SETS[name]() for name in chosen]
    given = None if answers is None else read_text(answers)
    found = [_check(text, given) for text in texts]
    known = sum(count for count, _ in found)
    differences = [one for _, those in found for one in those]
    if as_json:
        told = {
            "vectors": known,
            "agree": known - len(differences),
            "differences": [asdict(one) for one in differences],
        }
        click.echo(json.dumps(told))
    else:
        for one in differences:
            click.echo(f"{one.name}: expected {one.expected}, given {one.given or 'no answer'}")
        click.echo(f"{known - len(differences)} of {known} vectors agree")
    ctx.exit(1 if differences else 0)


@vectors.command()
@click.option("--set", "of", type=_SET, default="ride-code", show_default=True, help="Which file.")
@click.option("--json", "as_json", is_flag=True, help="Print the file as one JSON line.")
def show(of: str, as_json: bool) -> None:
    """Print a vector file, for use in another implementation's tests."""
    text = SETS[of]()
    click.echo(json.dumps(json.loads(text)) if as_json else text, nl=as_json)


def _check(text: str, answers: str | None) -> tuple[int, list[Difference]]:
    """(number of vectors, differences) of one file; ``answers`` are ours where None."""
    if protocol_vectors.is_this_format(text):
        file = protocol_vectors.read_vectors(text)
        told = (
            {v.name: protocol_vectors.answer(v, file) for v in file.vectors}
            if answers is None
            else protocol_vectors.read_answers(answers)
        )
        return len(file.vectors), protocol_vectors.compare(file, told)
    known = golden.read_vectors(text)
    given = (
        {v.name: golden.answer_of(golden.judge_vector(v)) for v in known}
        if answers is None
        else golden.read_answers(answers)
    )
    return len(known), golden.compare(known, given)
