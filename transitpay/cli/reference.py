"""Writes the reference of the command line from the commands themselves.

``python -m transitpay.cli.reference > docs/reference/cli.md``; a test holds the file to it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect

import click

from transitpay.cli import COMMANDS

INTRODUCTION = """\
# The `transitpay` command

Written by `make docs` from the commands themselves.

Exit codes: 0 done; 1 the answer is no (a refused code, books that do not balance, tables that
are not there); 2 the input cannot be read or is not allowed: one line names it; 3 something we
depend on is away: try again. With `--json` the last line of standard output is one JSON object,
also where a command is refused: `refused` (the code), `field`, `reason`.
"""


def load(name: str) -> click.Command | None:
    """The command of this name; None while its module is not there."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    if importlib.util.find_spec(module) is None:
        return None
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def section(name: str, command: click.Command) -> str:
    """The chapter of one command: usage, what it says of itself, its parameters, its parts."""
    return f"## `transitpay {name}`\n\n{_body(f'transitpay {name}', command)}"


def document() -> str:
    """The whole reference."""
    found = [(name, load(name)) for name in COMMANDS]
    chapters = [section(name, command) for name, command in found if command is not None]
    return "\n".join([INTRODUCTION, *chapters])


def _body(path: str, command: click.Command) -> str:
    parts = [inspect.cleandoc(command.help or "").replace("\b\n", ""), ""]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    if arguments:
        words = " ".join(
            f"{(a.name or '').upper()}{'...' if a.nargs != 1 else ''}" for a in arguments
        )
        parts += [f"Usage: `{path} {words}`", ""]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        parts += ["| option | meaning |", "|---|---|"]
        parts += [f"| {_names(option)} | {_meaning(option)} |" for option in options]
        parts.append("")
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            parts += [f"### `{path} {name}`", "", _body(f"{path} {name}", inner)]
    return "\n".join(parts)


def _word(argument: click.Argument) -> str:
    name = (argument.name or "").upper()
    return name if argument.nargs == 1 else f"{name}..."


def _names(option: click.Option) -> str:
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{name}`" for name in names)


def _meaning(option: click.Option) -> str:
    text = " ".join((option.help or "").split()).replace("|", "\\|")
    choices = getattr(option.type, "choices", None)
    if choices:
        text += f" One of: {', '.join(map(str, choices))}."
    return text + (" Required." if option.required else "")


if __name__ == "__main__":
    print(document(), end="")
