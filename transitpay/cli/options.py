"""What commands of several groups have in common: options, and refusals that are JSON too."""

from __future__ import annotations

import json
import re

import click

from transitpay.errors import TransitPayError

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class _Sentence(click.ParamType[str]):
    """A text as the operators' API takes it: 1 to 200 characters on one line."""

    name = "text"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Raises: click.BadParameter."""
        text = str(value)
        if re.fullmatch(r"[^\x00-\x1f\x7f]{1,200}", text) is None:
            self.fail("1 to 200 characters on one line", param, ctx)
        return text


reason_option = click.option(
    "--reason", required=True, type=_Sentence(), help="For people, at most 200 characters."
)


class ToldCommand(click.Command):
    """A command whose refusals are one JSON object too where ``--json`` asks for one."""

    def invoke(self, ctx: click.Context) -> object:
        """Raises: as the command does, after the object is printed."""
        try:
            return super().invoke(ctx)
        except TransitPayError as error:
            if ctx.params.get("as_json"):
                told = {"refused": error.code, "field": error.field, "reason": error.message}
                click.echo(json.dumps(told, ensure_ascii=False))
            raise


class ToldGroup(click.Group):
    """A group of such commands."""

    command_class = ToldCommand
