"""The built package, installed elsewhere without the checkout, makes a database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from transitpay.runtime.config import SETTINGS

TOP = Path(__file__).parent.parent


def run(*words: str | Path, cwd: Path, **more: str) -> str:
    outside = {k: v for k, v in os.environ.items() if k not in SETTINGS}
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env=outside | more,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.heavy
def test_the_wheel_makes_a_database_far_from_the_checkout(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=TOP)
    (wheel,) = tmp_path.glob("*.whl")
    elsewhere = tmp_path / "elsewhere"
    run(sys.executable, "-m", "venv", "--without-pip", elsewhere, cwd=tmp_path)
    python = elsewhere / "bin" / "python"
    install = ("install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, *install, wheel, cwd=tmp_path)

    # What the package needs comes from here; the package itself must come from the wheel.
    needs = {"PYTHONPATH": sysconfig.get_path("purelib"), "TRANSITPAY_HOME": str(tmp_path / "home")}
    where = run(
        python, "-c", "import transitpay; print(transitpay.__file__)", cwd=tmp_path, **needs
    )
    assert Path(where.strip()).is_relative_to(elsewhere)
    said = run(elsewhere / "bin" / "transitpay", "db", "init", "--json", cwd=tmp_path, **needs)
    assert json.loads(said.splitlines()[-1])["made"] is True
    words = ("fare", "--network", "mtr", "--from", "Central", "--to", "Admiralty", "--json")
    said = run(elsewhere / "bin" / "transitpay", *words, cwd=tmp_path, **needs)
    assert json.loads(said)["amount"] == "4.90", "its published terms came with it"
    for service in ("gateway", "settlement"):
        run(python, "-c", f"import {service}", cwd=tmp_path, **needs)
