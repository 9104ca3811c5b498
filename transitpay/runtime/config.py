"""The settings of every process, read from the environment here and nowhere else.

``SETTINGS`` lists each name once, with its default and its meaning; docs/reference/settings.md
is tested against it. A bad value is refused at start with the name of its setting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from transitpay.clock import Clock, SystemClock, parse_clock
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.postgres.server.cluster_files import ClusterFiles, socket_dsn

PRODUCTION = "production"
SANDBOX = "sandbox"
LOG_FORMATS = ("json", "text")
LOG_LEVELS = ("debug", "info", "warning", "error")

#: name -> (default as written, what it says). The order is that of the documentation.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "DATABASE_URL": ("", "a PostgreSQL server of your own; without it the embedded one is used"),
    "TRANSITPAY_HOME": (".transitpay", "folder of the embedded cluster, keys and files"),
    "TRANSITPAY_PG_BIN": ("", "folder of PostgreSQL's programs (initdb, postgres)"),
    "TRANSITPAY_DATA": ("", "folder of public data files (fare tables, rates)"),
    "TRANSITPAY_ENV": (PRODUCTION, "production or sandbox"),
    "TRANSITPAY_CLOCK": ("system", "system, or the scaled clock of a sandbox"),
    "TRANSITPAY_ROLE_PASSWORD": ("", "password of the database roles on your own server"),
    "TRANSITPAY_GATEWAY_HOST": ("127.0.0.1", "address on which the gateway listens"),
    "TRANSITPAY_GATEWAY_PORT": ("8440", "port on which the gateway listens; 0 = any free one"),
    "TRANSITPAY_SETTLEMENT_PORT": ("", "port for settlement's health and numbers; empty = none"),
    "TRANSITPAY_NOTIFY_URL": ("", "where wallets notify us; empty = the gateway's own address"),
    "TRANSITPAY_RATE_FEEDS": ("", "addresses of live rate sources, with commas between them"),
    "TRANSITPAY_RATE_LEAD_S": ("30", "seconds by which rates are published ahead; at least 30"),
    "TRANSITPAY_INQUIRE_EVERY_S": ("3", "seconds between two questions about an unknown payment"),
    "TRANSITPAY_INQUIRE_FOR_S": ("60", "seconds after which an unknown payment is cancelled"),
    "TRANSITPAY_REFUND_WAIT_H": ("72", "hours for which a correction waits for a refund in doubt"),
    "TRANSITPAY_LOG": ("json:info", "format (json, text), level, or both as FORMAT:LEVEL"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment said, checked. Make one with ``from_environment``."""

    home: Path
    database_url: str | None = None
    pg_bin: Path | None = None
    data: Path | None = None
    env: str = PRODUCTION
    clock_text: str = "system"
    role_password: str | None = None
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8440
    settlement_port: int | None = None
    notify_url: str | None = None
    rate_feeds: tuple[str, ...] = ()
    rate_lead_s: int = 30
    inquire_every_s: int = 3
    inquire_for_s: int = 60
    refund_wait_h: int = 72
    log_format: str = "json"
    log_level: str = "info"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of this process; an empty value is the same as none.

        Raises: MalformedInput (``bad_setting``), RuleViolation (``clock_not_in_production``);
        ``field`` is the name of the setting.
        """
        source = os.environ if environ is None else environ
        values = {name: source.get(name, "").strip() for name in SETTINGS}
        log_format, log_level = _log(values["TRANSITPAY_LOG"])
        env = values["TRANSITPAY_ENV"] or PRODUCTION
        if env not in (PRODUCTION, SANDBOX):
            raise _bad("TRANSITPAY_ENV", f"{env!r} is neither {PRODUCTION!r} nor {SANDBOX!r}")
        return cls(
            home=Path(values["TRANSITPAY_HOME"] or ".transitpay").expanduser().absolute(),
            database_url=_database_url(values["DATABASE_URL"]),
            pg_bin=_folder("TRANSITPAY_PG_BIN", values["TRANSITPAY_PG_BIN"]),
            data=_folder("TRANSITPAY_DATA", values["TRANSITPAY_DATA"]),
            env=env,
            clock_text=_clock(values["TRANSITPAY_CLOCK"] or "system", env),
            role_password=values["TRANSITPAY_ROLE_PASSWORD"] or None,
            gateway_host=values["TRANSITPAY_GATEWAY_HOST"] or "127.0.0.1",
            gateway_port=_port("TRANSITPAY_GATEWAY_PORT", values["TRANSITPAY_GATEWAY_PORT"]),
            settlement_port=_optional_port("TRANSITPAY_SETTLEMENT_PORT", values),
            notify_url=values["TRANSITPAY_NOTIFY_URL"] or None,
            rate_feeds=_addresses(values["TRANSITPAY_RATE_FEEDS"]),
            rate_lead_s=_seconds("TRANSITPAY_RATE_LEAD_S", values, least=30),
            inquire_every_s=_seconds("TRANSITPAY_INQUIRE_EVERY_S", values, least=1),
            inquire_for_s=_seconds("TRANSITPAY_INQUIRE_FOR_S", values, least=1),
            refund_wait_h=_hours("TRANSITPAY_REFUND_WAIT_H", values, most=720),
            log_format=log_format,
            log_level=log_level,
        )

    def clock(self) -> Clock:
        """The clock of this process: the machine's, or in a sandbox the scaled one."""
        return parse_clock(self.clock_text)

    def dsn(self, role: str) -> str:
        """Where ``role`` connects: DATABASE_URL with its user replaced, or the own socket."""
        if self.database_url is None:
            return socket_dsn(ClusterFiles.under(self.home).socket_folder(), role)
        return _with_user(self.database_url, role, self.role_password)

    def admin_dsn(self) -> str:
        """Where `db init` connects: DATABASE_URL as written, or the cluster's superuser."""
        return self.database_url or self.dsn("postgres")

    def environment(self) -> dict[str, str]:
        """The same settings as variables; what is unset is absent."""
        values = {
            "DATABASE_URL": self.database_url or "",
            "TRANSITPAY_HOME": str(self.home),
            "TRANSITPAY_PG_BIN": str(self.pg_bin or ""),
            "TRANSITPAY_DATA": str(self.data or ""),
            "TRANSITPAY_ENV": self.env,
            "TRANSITPAY_CLOCK": self.clock_text,
            "TRANSITPAY_ROLE_PASSWORD": self.role_password or "",
            "TRANSITPAY_GATEWAY_HOST": self.gateway_host,
            "TRANSITPAY_GATEWAY_PORT": str(self.gateway_port),
            "TRANSITPAY_SETTLEMENT_PORT": (
                "" if self.settlement_port is None else str(self.settlement_port)
            ),
            "TRANSITPAY_NOTIFY_URL": self.notify_url or "",
            "TRANSITPAY_RATE_FEEDS": ",".join(self.rate_feeds),
            "TRANSITPAY_RATE_LEAD_S": str(self.rate_lead_s),
            "TRANSITPAY_INQUIRE_EVERY_S": str(self.inquire_every_s),
            "TRANSITPAY_INQUIRE_FOR_S": str(self.inquire_for_s),
            "TRANSITPAY_REFUND_WAIT_H": str(self.refund_wait_h),
            "TRANSITPAY_LOG": f"{self.log_format}:{self.log_level}",
        }
        return {name: value for name, value in values.items() if value}


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment for a process of ours: this one's, with exactly these settings."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return inherited | settings.environment()


def _bad(field: str, message: str) -> MalformedInput:
    return MalformedInput("bad_setting", message, field=field)


def _folder(field: str, text: str) -> Path | None:
    if not text:
        return None
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        raise _bad(field, f"there is no folder {text}")
    return folder


def _port(field: str, text: str) -> int:
    if not text:
        return int(SETTINGS[field][0])
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise _bad(field, f"{text!r} is not a port (0-65535)")
    return int(text)


def _optional_port(field: str, values: Mapping[str, str]) -> int | None:
    return _port(field, values[field]) if values[field] else None


def _seconds(field: str, values: Mapping[str, str], *, least: int) -> int:
    text = values[field] or SETTINGS[field][0]
    if not (text.isascii() and text.isdigit() and least <= int(text) <= 86_400):
        raise _bad(field, f"{text!r} is not a number of seconds ({least}-86400)")
    return int(text)


def _hours(field: str, values: Mapping[str, str], *, most: int) -> int:
    text = values[field] or SETTINGS[field][0]
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise _bad(field, f"{text!r} is not a number of hours (0-{most})")
    return int(text)


def _addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for address in addresses:
        if not address.startswith(("http://", "https://")):
            raise _bad("TRANSITPAY_RATE_FEEDS", f"{address!r} is not http:// or https://")
    return addresses


def _log(text: str) -> tuple[str, str]:
    log_format, level = "json", "info"
    for word in text.lower().split(":") if text else ():
        if word in LOG_FORMATS:
            log_format = word
        elif word in LOG_LEVELS:
            level = word
        else:
            known = ", ".join(LOG_FORMATS + LOG_LEVELS)
            raise _bad("TRANSITPAY_LOG", f"{word!r} is none of {known}")
    return log_format, level


def _clock(text: str, env: str) -> str:
    try:
        clock = parse_clock(text)
    except MalformedInput as error:
        raise _bad("TRANSITPAY_CLOCK", error.message) from None
    if env != SANDBOX and not isinstance(clock, SystemClock):
        raise RuleViolation(
            "clock_not_in_production",
            "a scaled clock is allowed only with TRANSITPAY_ENV=sandbox",
            field="TRANSITPAY_CLOCK",
        )
    return text


def _database_url(text: str) -> str | None:
    if not text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _bad("DATABASE_URL", "this is not a URL") from None
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        # The value is not repeated: it may hold a password.
        raise _bad("DATABASE_URL", "this is not postgresql://USER@HOST:PORT/DATABASE")
    return text


def _with_user(url: str, role: str, password: str | None) -> str:
    """``url`` for another user; its own password belongs to its own user and is dropped."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    user = quote(role, safe="") + (f":{quote(password, safe='')}" if password else "")
    return parts._replace(netloc=f"{user}@{hosts}").geturl()
