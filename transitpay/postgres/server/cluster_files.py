"""Where the files of one embedded cluster are, and what its postmaster.pid says.

Everything lives in one private folder, so that two processes which agree on the home agree on
the cluster: ``data`` (PGDATA), ``socket``, ``lock``, ``server.log``.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PORT = 5432
DATABASE = "transitpay"
SUPERUSER = "postgres"
#: sockaddr_un.sun_path holds 108 bytes with the closing zero (104 on BSD and macOS).
SOCKET_PATH_LIMIT = 107 if os.uname().sysname == "Linux" else 103


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What postmaster.pid says. ``pid`` is negative for a single-user backend."""

    pid: int
    status: str

    @property
    def ready(self) -> bool:
        return self.status == "ready"


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """The files of the cluster of one home."""

    root: Path

    @classmethod
    def under(cls, home: Path) -> ClusterFiles:
        return cls(home.absolute() / "postgres")

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def _remembered(self) -> Path:
        return self.root / "socket_folder"

    def socket_folder(self) -> Path:
        """Where the socket is or would be; changes nothing."""
        own = self.root / "socket"
        if _fits(own):
            return own
        try:
            return Path(self._remembered.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return own

    def make_socket_folder(self) -> Path:
        """The private folder of the socket, made when it is not there.

        A home whose path is too long for a socket gets a folder under the temp folder; its name
        is written down, for the other processes and for the next start.
        """
        folder = self.socket_folder()
        if _fits(folder) and folder.parent == self.root:
            folder.mkdir(mode=0o700, exist_ok=True)
        elif not (_fits(folder) and _is_private(folder, self._owner())):
            folder = Path(tempfile.mkdtemp(prefix="transitpay-"))
            draft = self._remembered.with_suffix(".new")
            draft.write_text(f"{folder}\n", encoding="utf-8")
            draft.replace(self._remembered)
        return folder

    def _owner(self) -> int:
        return (self.data if self.data.exists() else self.root).stat().st_uid

    def cluster_major(self) -> int | None:
        """The major version that made the cluster; None = there is no cluster yet."""
        try:
            return int((self.data / "PG_VERSION").read_text(encoding="ascii").strip())
        except (FileNotFoundError, ValueError):
            return None

    def postmaster(self) -> Postmaster | None:
        """What postmaster.pid says, whether or not that process lives."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
            return Postmaster(int(lines[0]), lines[7].strip() if len(lines) > 7 else "")
        except (FileNotFoundError, ValueError):
            return None

    def running(self) -> Postmaster | None:
        """The live postmaster of this cluster, ready or not; None = there is none."""
        found = self.postmaster()
        return found if found and is_server_of(abs(found.pid), self.data) else None

    def accepts(self) -> bool:
        """Whether somebody listens on the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.socket_folder() / f".s.PGSQL.{PORT}"))
            except OSError:
                return False
            return True

    def processes(self) -> list[int]:
        """Every live server process of this cluster, children that lost their parent too.

        Read from /proc; where there is none (macOS) the answer is empty.
        """
        try:
            entries = os.listdir("/proc")
        except FileNotFoundError:
            return []
        return [int(e) for e in entries if e.isdigit() and is_server_of(int(e), self.data)]

    def forget_postmaster(self) -> None:
        """Remove the pid and socket lock files of a postmaster that is known to be dead."""
        name = f".s.PGSQL.{PORT}"
        for stale in (
            self.data / "postmaster.pid",
            self.socket_folder() / name,
            self.socket_folder() / f"{name}.lock",
        ):
            stale.unlink(missing_ok=True)


def socket_dsn(folder: Path, role: str, database: str = DATABASE) -> str:
    """The address of a database behind a Unix socket."""
    return (
        f"postgresql://{quote(role, safe='')}@/{quote(database, safe='')}"
        f"?host={quote(str(folder), safe='')}&port={PORT}"
    )


def is_server_of(pid: int, data: Path) -> bool:
    """Whether ``pid`` lives and is a server process of the cluster in ``data``.

    A pid file outlives its process, and the number may have gone to another program since; a
    server's working folder is its data folder. A zombie has none and counts as dead.
    """
    if not os.path.isdir("/proc/self"):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    try:
        program = Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name
        folder = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    return program == "postgres" and folder == os.path.realpath(data)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT


def _is_private(folder: Path, owner: int) -> bool:
    """A folder, no link, of the cluster's owner, that nobody else may enter.

    The temp folder is everybody's: after it was swept, another user may have taken the name.
    """
    try:
        found = folder.lstat()
    except OSError:
        return False
    private = stat.S_IMODE(found.st_mode) == 0o700
    return stat.S_ISDIR(found.st_mode) and private and found.st_uid == owner
