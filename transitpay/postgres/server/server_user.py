"""As whom the server runs: PostgreSQL refuses root, so root needs another face.

In order: a user namespace in which we are a plain user (files stay ours), then another user
(the cluster's folder is given to it). Rights of folders outside the cluster are never changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from transitpay.errors import TemporarilyUnavailable
from transitpay.postgres.server.binaries import Binaries
from transitpay.postgres.server.cluster_files import ClusterFiles
from transitpay.runtime.tied import stop_with_parent

#: Inside the namespace root is this number; it need not exist in the machine's user list.
_INSIDE = "65534"


@dataclass(frozen=True, slots=True)
class ServerUser:
    """One way to start a program of the cluster.

    ``prefix`` goes before the command; ``uid`` and ``gid`` are set when it runs as another user.
    """

    name: str
    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def run(self, binaries: Binaries, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and return what it said."""
        return subprocess.run(
            [*self.prefix, *command],
            env=binaries.environment(),
            capture_output=True,
            text=True,
            timeout=180,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def launch(
        self, binaries: Binaries, command: list[str], log: IO[bytes], tied: bool
    ) -> subprocess.Popen[bytes]:
        """Start the server in a session of its own, so that Ctrl-C does not reach it.

        With ``tied`` the kernel asks it to stop when the thread that started it ends.
        """
        return subprocess.Popen(
            [*self.prefix, *command],
            env=binaries.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=stop_with_parent(signal.SIGINT) if tied else None,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def own(self, files: ClusterFiles, socket_folder: Path) -> None:
        """Give the cluster to this user; for a namespace or ourselves it is ours already."""
        if self.uid is None or self.gid is None:
            return
        paths = [files.root, socket_folder, *socket_folder.iterdir()]
        if files.data.exists() and files.data.stat().st_uid != self.uid:
            paths += [files.data, *files.data.rglob("*")]
        for path in paths:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose_server_user(files: ClusterFiles, binaries: Binaries) -> ServerUser:
    """The first way that works on this machine for this cluster.

    Raises: TemporarilyUnavailable (``postgres_refuses_root``, ``foreign_cluster``).
    """
    made = files.data if files.data.exists() else files.root
    owner = made.stat().st_uid
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise TemporarilyUnavailable(
                "foreign_cluster", f"{made} belongs to another user (uid {owner})"
            )
        return ServerUser("this user")
    if owner != 0:
        # Made by another user, or given to one on an earlier start: it stays theirs.
        return _other(owner)
    tried: list[str] = []
    for way in _ways_of_root():
        problem = _problem(way, files, binaries)
        if problem is None:
            return way
        tried.append(f"{way.name}: {problem}")
    raise TemporarilyUnavailable(
        "postgres_refuses_root",
        "PostgreSQL does not run as root and no other way works here "
        f"({'; '.join(tried)}): start as a plain user, set TRANSITPAY_HOME to a folder that "
        "every user may enter, or set DATABASE_URL",
    )


def _ways_of_root() -> Iterator[ServerUser]:
    unshare = shutil.which("unshare")
    if unshare:
        prefix = (unshare, "--user", f"--map-user={_INSIDE}", f"--map-group={_INSIDE}", "--")
        yield ServerUser("user namespace", prefix)
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        yield ServerUser(f"user {name}", (), user.pw_uid, user.pw_gid)


def _other(uid: int) -> ServerUser:
    try:
        return ServerUser(f"uid {uid}", (), uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return ServerUser(f"uid {uid}", (), uid, uid)


def _problem(way: ServerUser, files: ClusterFiles, binaries: Binaries) -> str | None:
    """Why this way does not do: it must start the programs and enter the cluster's parent."""
    try:
        started = way.run(binaries, [binaries.program("postgres"), "--version"])
        entered = way.run(
            binaries, ["/bin/sh", "-c", 'cd "$1" && id -u', "sh", str(files.root.parent)]
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error).splitlines()[0]
    if started.returncode != 0:
        return (started.stderr.strip().splitlines() or ["the programs do not start"])[-1]
    if entered.returncode != 0:
        return f"may not enter {files.root.parent}"
    return "is root there too" if entered.stdout.strip() == "0" else None
