"""The rules of the house that a machine can hold: who imports whom, sizes, time, money, SQL."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PACKAGES = ("transitpay", "gateway", "settlement")
MODULES = sorted(p for package in PACKAGES for p in (TOP / package).rglob("*.py"))

#: Folders of transitpay that may touch the world; everything else there is pure.
WORLDLY = ("transitpay/postgres/", "transitpay/runtime/", "transitpay/sandbox/", "transitpay/cli/")
IMPURE = {
    "asyncio",
    "asyncpg",
    "aiohttp",
    "pydantic",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "click",
    "rich",
}
#: Settlement's own pure modules.
PURE_SETTLEMENT = ("netting", "batches", "statements", "matching", "report", "layouts")
CRYPTOGRAPHY = {"signing", "signature", "keys", "mot"}
MONEY = (
    "transitpay/money.py",
    "transitpay/fx/",
    "transitpay/ledger/",
    "transitpay/charging/",
    "transitpay/clearing.py",
    "transitpay/fares/",
    "settlement/closing/netting.py",
    "settlement/closing/statements.py",
    "settlement/reconciling/matching.py",
    "settlement/closing/batches.py",
)
STOPWATCHES = ("gateway/", "settlement/", *WORLDLY)
DATABASE_CLOCK = re.compile(
    r"\b(?:(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
    r"|current_(?:timestamp|date|time)\b|localtime(?:stamp)?\b)",
    re.IGNORECASE,
)


def where(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def is_pure(path: Path) -> bool:
    name = where(path)
    if name.startswith("settlement/"):
        return path.stem in PURE_SETTLEMENT
    return name.startswith("transitpay/") and not name.startswith(WORLDLY)


def imports(tree: ast.AST, path: Path) -> Iterator[str]:
    """Every module that is named in an import, with relative ones written out."""
    package = where(path).removesuffix(".py").removesuffix("/__init__").split("/")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [] if node.level == 0 else package[: len(package) - node.level]
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def starts(name: str, *modules: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def offences(find: Callable[[ast.Module, Path], Iterator[str]]) -> list[str]:
    found = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{where(path)}: {what}" for what in find(tree, path)]
    return found


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 20


def test_pure_modules_import_nothing_that_touches_the_world() -> None:
    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        if not is_pure(path):
            return
        worldly = [folder.rstrip("/").replace("/", ".") for folder in WORLDLY]
        for name in imports(tree, path):
            if starts(name, *IMPURE, *worldly):
                yield f"imports {name}"

    assert offences(find) == []


def test_cryptography_is_imported_only_where_its_name_says_so() -> None:
    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        if path.stem not in CRYPTOGRAPHY:
            yield from (f"imports {n}" for n in imports(tree, path) if starts(n, "cryptography"))

    assert offences(find) == []


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("transitpay", ("gateway", "settlement")),
        ("gateway", ("settlement", "transitpay.sandbox", "transitpay.cli")),
        ("settlement", ("gateway", "transitpay.sandbox", "transitpay.cli")),
    ],
)
def test_siblings_meet_in_the_schema(package: str, forbidden: tuple[str, ...]) -> None:
    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        if where(path).startswith(f"{package}/"):
            yield from (f"imports {n}" for n in imports(tree, path) if starts(n, *forbidden))

    assert offences(find) == []


def test_only_config_reads_the_environment() -> None:
    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        if where(path) == "transitpay/runtime/config.py":
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                if name in ("os.environ", "os.getenv", "os.environb", "os.putenv"):
                    yield f"line {node.lineno}: {name}"
        yield from (n for n in imports(tree, path) if starts(n, "os.environ", "os.getenv"))

    assert offences(find) == []


def test_only_the_system_clock_reads_the_time() -> None:
    wall = {f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime")}
    wall |= {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    stopwatch = {"time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns"}

    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        if where(path) == "transitpay/clock.py":
            return
        forbidden = wall if where(path).startswith(STOPWATCHES) else wall | stopwatch
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                name = ".".join(ast.unparse(node).split(".")[-2:])
                if name in forbidden:
                    yield f"line {node.lineno}: {name}"
        yield from (f"imports {n}" for n in imports(tree, path) if n in forbidden)

    assert offences(find) == []


def test_money_knows_no_float() -> None:
    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        if not where(path).startswith(MONEY):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                yield f"line {node.lineno}: {node.value!r}"
            if isinstance(node, ast.Name) and node.id == "float":
                yield f"line {node.lineno}: float"

    assert offences(find) == []


def test_modules_and_functions_stay_small_and_say_what_they_are_for() -> None:
    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > 400:
            yield f"{lines} lines"
        if ast.get_docstring(tree) is None and tree.body:
            yield "no docstring"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 60:
                    yield f"{node.name}: {length} lines"

    assert offences(find) == []


def test_the_tables_take_no_time_from_the_database_clock_but_for_leases() -> None:
    text = (TOP / "schema.sql").read_text(encoding="utf-8")
    code = re.sub(r"--[^\n]*", "", text)
    named = [line.strip() for line in code.splitlines() if DATABASE_CLOCK.search(line)]
    assert [line for line in named if "lease" not in line] == []


def test_statements_take_no_time_from_the_database_clock_but_for_leases() -> None:
    def find(tree: ast.Module, path: Path) -> Iterator[str]:
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            statement = re.search(r"\b(select|insert|update|delete)\b", node.value)
            # Prose in docstrings may name what SQL must not do.
            is_sql = statement and re.search(r"\b(from|into|set|select)\b", node.value)
            if is_sql and DATABASE_CLOCK.search(node.value) and "lease" not in node.value:
                yield f"line {node.lineno}: the database clock outside a lease"

    assert offences(find) == []


def test_the_schema_of_the_package_is_the_file_at_the_top() -> None:
    link = TOP / "transitpay" / "postgres" / "schema.sql"
    assert link.is_symlink() and not link.readlink().is_absolute()
    assert link.resolve() == TOP / "schema.sql"


def test_no_test_is_switched_off() -> None:
    switched_off = "mark" + ".skip"
    tests = [p for p in (TOP / "tests").rglob("*.py") if switched_off in p.read_text("utf-8")]
    assert tests == []


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their bare names."""
    names = sorted(path.name for path in (TOP / "tests").rglob("test_*.py"))
    assert [one for one, other in itertools.pairwise(names) if one == other] == []
