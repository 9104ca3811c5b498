"""The reference names what is really there: settings with their defaults, commands, options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transitpay.cli import COMMANDS, reference
from transitpay.postgres.schema import ROLES
from transitpay.runtime.config import SETTINGS

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{name}` \| ([^|]*) \|", text, re.MULTILINE)
    assert row, f"docs/reference/settings.md has no row for {name}"
    default = SETTINGS[name][0]
    assert row[1].strip() == (f"`{default}`" if default else "unset")


def test_no_setting_is_documented_that_nobody_reads() -> None:
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)) == set(SETTINGS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_as_it_is(name: str) -> None:
    command = reference.load(name)
    if command is None:
        return  # promised in COMMANDS, not built yet: there is nothing to document
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert reference.section(name, command) in text, "docs/reference/cli.md is old: run `make docs`"


def test_every_role_is_documented() -> None:
    text = (DOCS / "reference" / "database.md").read_text(encoding="utf-8")
    assert [role for role in ROLES if f"`{role}`" not in text] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(DOCS.parent)}: {target}")
    assert broken == []
