"""The SDK runs where there is no event loop, no HTTP library, no database driver."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

BLOCKED = ("aiohttp", "asyncpg", "pydantic", "asyncio", "click", "rich", "jinja2")
SCRIPT = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
from transitpay.ride_code.reader import Reader, ReaderSettings, scanned
print(sorted(m for m in sys.modules if m.split(".")[0] in {BLOCKED!r} and sys.modules[m]))
"""
READER = Path(__file__).parent.parent.parent / "transitpay" / "ride_code" / "reader"


def test_the_sdk_is_imported_without_network_database_or_event_loop() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_no_module_of_the_sdk_opens_anything_or_knows_the_time() -> None:
    used = set()
    for path in READER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used.add(str(node.module))
    ours = {name for name in used if name.startswith("transitpay.")}
    assert used - ours == {
        "__future__", "collections.abc", "dataclasses", "datetime", "enum", "json", "typing",
        "unicodedata",
    }  # fmt: skip
