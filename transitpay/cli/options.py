"""Options that commands of several groups have in common."""

from __future__ import annotations

import re

import click

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
