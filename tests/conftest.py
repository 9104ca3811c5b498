"""A real PostgreSQL for the tests: one cluster a session, one fresh database a test.

The cluster starts with the first test that asks for it. A template database gets schema.sql
once; each ``db`` is a copy of it. DATABASE_URL of the environment is never used.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from luck import load_profile

from transitpay.postgres import pool, schema
from transitpay.postgres.server.embedded import EmbeddedPostgres
from transitpay.runtime.config import SETTINGS, Settings

load_profile()

TEMPLATE = "transitpay_template"
MADE_AT = datetime(2026, 11, 1, tzinfo=UTC)
_numbers = count(1)

#: A test database lives for a second: what it holds may be lost when the machine dies.
QUICK = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_connections": "150",
    "autovacuum": "off",
}


@dataclass(slots=True)
class Database:
    """One test's own database. Connections and pools made here are closed after the test."""

    server: EmbeddedPostgres
    name: str
    settings: Settings
    _closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    def dsn(self, role: str = "postgres") -> str:
        return self.server.dsn(role, self.name)

    async def connect(self, role: str = "postgres") -> Any:
        """An asyncpg connection as ``role``, with the codecs of production."""
        connection = await pool.connect(self.dsn(role), application_name="test")
        self._closing.push_async_callback(connection.close)
        return connection

    async def pool(self, role: str = "postgres", *, max_size: int = 4) -> Any:
        """An asyncpg pool as ``role``, made as production makes it."""
        made = await pool.open_pool(
            self.settings, role, min_size=1, max_size=max_size, application_name="test"
        )
        self._closing.callback(made.terminate)
        return made


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    """What the person who runs the tests has set, other than TRANSITPAY_DATA, stays outside."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS:
            if name not in ("TRANSITPAY_DATA", "TRANSITPAY_PG_BIN"):
                patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The session's cluster, for tests that need a server and make their own databases."""
    named = os.environ.get("TRANSITPAY_PG_BIN")
    embedded = EmbeddedPostgres(
        tmp_path_factory.mktemp("pg"),
        pg_bin=Path(named) if named else None,
        server_settings=QUICK,
    )
    with embedded:
        yield embedded


@pytest.fixture(scope="session")
def _template(server: EmbeddedPostgres) -> EmbeddedPostgres:
    asyncio.run(schema.init(server.dsn(database=TEMPLATE), at=MADE_AT))
    return server


@pytest.fixture
async def db(_template: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with schema.sql applied, and settings that lead to it."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(_template.dsn(database="postgres"))
    try:
        await admin.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
        settings = Settings(
            home=tmp_path / "home", database_url=_as_url(_template, name), env="sandbox"
        )
        made = Database(_template, name, settings)
        async with made._closing:
            yield made
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


def _as_url(server: EmbeddedPostgres, name: str) -> str:
    """The database behind a DATABASE_URL, so that Settings.dsn gives each role its address."""
    folder = quote(str(server.files.socket_folder()), safe="")
    return f"postgresql://postgres@/{name}?host={folder}&port=5432"


@pytest.fixture
def data_dir() -> Path:
    """The folder of public data; the test is skipped when TRANSITPAY_DATA does not name it."""
    named = os.environ.get("TRANSITPAY_DATA")
    if not named:
        pytest.skip("TRANSITPAY_DATA is not set: this test reads public data files")
    folder = Path(named)
    assert folder.is_dir(), f"TRANSITPAY_DATA={named} is no folder"
    return folder
