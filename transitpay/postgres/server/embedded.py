"""A private PostgreSQL for one machine: made, started, found again and stopped by us.

One home has one cluster. Whoever starts it first owns it; every other process attaches. A lock
file decides who starts. After a crash, ``start()`` again is all that is needed: what was
committed is there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from transitpay.errors import TemporarilyUnavailable
from transitpay.postgres.server.binaries import Binaries, find_binaries
from transitpay.postgres.server.cluster_files import (
    DATABASE,
    PORT,
    SUPERUSER,
    ClusterFiles,
    socket_dsn,
)
from transitpay.postgres.server.server_user import ServerUser, choose_server_user
from transitpay.runtime.config import Settings

#: For a small machine. What is durable stays durable: fsync and synchronous_commit are on.
#: Values of statements never reach the server's log: they may hold tokens or code bytes.
SERVER_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
_POLL_S = 0.02
_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 30.0
_LOCK_LIMIT_S = 180.0
_LOG_KEPT_BYTES = 8 * 1024 * 1024


class EmbeddedPostgres:
    """The cluster of ``home``, as seen by one process.

    With ``tied`` the server stops when the thread that started it dies: start it from the main
    thread. Without, it goes on until somebody stops it.
    """

    def __init__(
        self,
        home: Path,
        *,
        pg_bin: Path | None = None,
        tied: bool = True,
        server_settings: Mapping[str, str] | None = None,
    ) -> None:
        self.files = ClusterFiles.under(home)
        self._pg_bin = pg_bin
        self._tied = tied
        self._server_settings = {**SERVER_SETTINGS, **(server_settings or {})}
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the live postmaster, whoever started it."""
        running = self.files.running()
        return running.pid if running else None

    @property
    def started_here(self) -> bool:
        """Whether this object started the server that runs now."""
        return self._child is not None and self._child.poll() is None

    def dsn(self, role: str = SUPERUSER, database: str = DATABASE) -> str:
        """Where ``role`` connects."""
        return socket_dsn(self.files.socket_folder(), role, database)

    def start(self) -> None:
        """Make the cluster if there is none, and start it unless it runs already.

        Raises: TemporarilyUnavailable (``no_postgres``, ``postgres_refuses_root``,
        ``foreign_cluster``, ``postgres_start_failed``); MalformedInput for TRANSITPAY_PG_BIN.
        """
        self._reap()
        with self._locked():
            running = self.files.running()
            if running is not None:
                self._await_ready(running.pid)
                return
            binaries = find_binaries(self._pg_bin, self.files.cluster_major())
            user = choose_server_user(self.files, binaries)
            socket_folder = self.files.make_socket_folder()
            user.own(self.files, socket_folder)
            if self.files.cluster_major() is None:
                self._make_cluster(binaries, user)
            self._start_server(binaries, user, socket_folder)

    def stop(self, *, whoever_started: bool = False) -> bool:
        """Stop the server if it was started here; true = it was stopped.

        ``whoever_started`` also stops one to which this process only attached.
        """
        self._reap()
        if self._child is None and not whoever_started:
            return False
        if not self.files.root.is_dir():
            return False
        with self._locked():
            running = self.files.running()
            mine = self._child is not None and running and self._child.pid == running.pid
            if running is None or not (mine or whoever_started):
                return False
            for stop_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                _send(running.pid, stop_signal)
                if self._gone(running.pid, _STOP_LIMIT_S):
                    break
            self._end_leftovers()
            self._child = None
            return True

    # -- start ---------------------------------------------------------------------------------

    def _make_cluster(self, binaries: Binaries, user: ServerUser) -> None:
        """initdb into a folder beside, then one rename: half a cluster is never taken for one."""
        draft = self.files.root / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        command = [binaries.program("initdb"), "--pgdata", str(draft), "--username", SUPERUSER]
        command += ["--encoding", "UTF8", "--locale", "C", "--auth", "trust"]
        command += ["--data-checksums", "--no-instructions"]
        done = user.run(binaries, command)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise _start_failed(f"initdb: {said[-1] if said else done.returncode}")
        draft.rename(self.files.data)

    def _start_server(self, binaries: Binaries, user: ServerUser, socket_folder: Path) -> None:
        command = [binaries.program("postgres"), "-D", str(self.files.data)]
        command += ["-k", str(socket_folder)]
        for name, value in self._server_settings.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            self._end_leftovers()
            self.files.forget_postmaster()
            start_of_log = _log_size(self.files.log)
            with self.files.log.open("ab" if start_of_log < _LOG_KEPT_BYTES else "wb") as log:
                start_of_log = min(start_of_log, log.tell())
                self._child = user.launch(binaries, command, log, self._tied)
            try:
                self._await_ready(self._child.pid)
                return
            except _EndedBeforeReady:
                said = _fatal_line(self.files.log, start_of_log)
                self._child = None
                # The dead server's memory is freed a moment after its last process has gone.
                if "shared memory" not in said or time.monotonic() > deadline:
                    raise _start_failed(f"{said} (see {self.files.log})") from None
            time.sleep(0.2)

    def _await_ready(self, pid: int) -> None:
        """Wait until postmaster.pid says ready for this very process and the socket answers."""
        deadline = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline:
            found = self.files.postmaster()
            if found is not None and found.pid == pid and found.ready and self.files.accepts():
                return
            child = self._child
            if child is not None and child.pid == pid:
                if child.poll() is not None:
                    raise _EndedBeforeReady
            elif self.files.running() is None:
                raise _start_failed("the server that was found running has ended")
            time.sleep(_POLL_S)
        raise _start_failed(f"not ready after {_START_LIMIT_S:.0f} s (see {self.files.log})")

    def _end_leftovers(self) -> None:
        """End processes of this cluster whose postmaster is dead: they hold its memory."""
        for limit_s, end_signal in ((1.0, signal.SIGQUIT), (5.0, signal.SIGKILL)):
            left = self.files.processes()
            for pid in left:
                _send(pid, end_signal)
            deadline = time.monotonic() + limit_s
            while left and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                left = self.files.processes()
            if not left:
                return
        raise _start_failed(f"processes of a dead server do not end: {left}")

    # -- shared --------------------------------------------------------------------------------

    def _reap(self) -> None:
        """A dead child of ours keeps its number until it is waited for; PostgreSQL asks for it."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    def _gone(self, pid: int, limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()
            running = self.files.running()
            if running is None or running.pid != pid:
                return True
            time.sleep(_POLL_S)
        return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the cluster's lock: one process at a time starts or stops."""
        root = self.files.root
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            root.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(self.files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise TemporarilyUnavailable(
                "foreign_cluster", f"{error.filename} belongs to another user"
            ) from None
        except OSError as error:
            raise _start_failed(f"{error.filename}: {error.strerror}") from None
        try:
            deadline = time.monotonic() + _LOCK_LIMIT_S
            while not _try_lock(handle):
                if time.monotonic() > deadline:
                    raise _start_failed(f"{self.files.lock} is held by another process")
                time.sleep(_POLL_S)
            yield
        finally:
            os.close(handle)


@contextmanager
def running_database(settings: Settings) -> Iterator[None]:
    """A database to connect to while the block runs.

    Does nothing with DATABASE_URL; otherwise attaches to the embedded cluster, or starts it and
    stops it again.
    """
    if settings.database_url is not None:
        yield
        return
    with EmbeddedPostgres(settings.home, pg_bin=settings.pg_bin):
        yield


class _EndedBeforeReady(Exception):
    """Our child ended; its log says why."""


def _start_failed(reason: str) -> TemporarilyUnavailable:
    return TemporarilyUnavailable("postgres_start_failed", f"PostgreSQL did not start: {reason}")


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _send(pid: int, what: signal.Signals) -> None:
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return


def _log_size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _fatal_line(log: Path, start: int) -> str:
    """The line with which the server said farewell."""
    with log.open("rb") as lines:
        lines.seek(start)
        text = lines.read().decode("utf-8", "replace").strip().splitlines()
    fatal = [line for line in text if "FATAL" in line or "PANIC" in line]
    said = (fatal or text or ["it ended without a word"])[-1]
    return said.rpartition("FATAL:  ")[2] or said
