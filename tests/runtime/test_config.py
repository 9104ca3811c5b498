"""Settings: every default, every bad value by name, and where each role connects."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from transitpay.clock import ScaledClock, SystemClock
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.runtime.config import SETTINGS, Settings, child_environment

SCALED = str(ScaledClock(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), 600))


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_environment({})
    assert settings.home == Path(".transitpay").absolute()
    assert settings.database_url is None and settings.data is None and settings.pg_bin is None
    assert isinstance(settings.clock(), SystemClock)
    assert (settings.gateway_host, settings.gateway_port) == ("127.0.0.1", 8440)
    assert (settings.log_format, settings.log_level) == ("json", "info")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root@localhost/x"),
        ("DATABASE_URL", "postgresql://localhost"),
        ("DATABASE_URL", "postgresql://[::1/x"),
        ("TRANSITPAY_PG_BIN", "/no/such/folder"),
        ("TRANSITPAY_DATA", "/no/such/folder"),
        ("TRANSITPAY_ENV", "test"),
        ("TRANSITPAY_CLOCK", "noon"),
        ("TRANSITPAY_CLOCK", SCALED.replace("x600", "x0")),
        ("TRANSITPAY_CLOCK", f"{SCALED},2026-11-02T10:00:00x3600"),
        ("TRANSITPAY_CLOCK", f"{SCALED},2026-11-02T10:00:00+00:00x0"),
        ("TRANSITPAY_GATEWAY_PORT", "65536"),
        ("TRANSITPAY_GATEWAY_PORT", "-1"),
        ("TRANSITPAY_GATEWAY_PORT", "٣"),
        ("TRANSITPAY_SETTLEMENT_PORT", "65536"),
        ("TRANSITPAY_RATE_FEEDS", "https://a.example,ftp://b.example"),
        ("TRANSITPAY_RATE_LEAD_S", "29"),
        ("TRANSITPAY_INQUIRE_EVERY_S", "0"),
        ("TRANSITPAY_INQUIRE_FOR_S", "86401"),
        ("TRANSITPAY_LOG", "xml"),
        ("TRANSITPAY_LOG", "json:loud"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_setting(name: str, value: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        Settings.from_environment({name: value})
    assert refused.value.field == name
    assert str(refused.value).startswith(f"{name}: ")


def test_a_bad_database_url_is_not_repeated_because_it_may_hold_a_password() -> None:
    with pytest.raises(MalformedInput) as refused:
        Settings.from_environment({"DATABASE_URL": "mysql://root:hunter2@localhost/x"})
    assert "hunter2" not in str(refused.value)


def test_a_scaled_clock_is_for_the_sandbox_only() -> None:
    with pytest.raises(RuleViolation) as refused:
        Settings.from_environment({"TRANSITPAY_CLOCK": SCALED})
    assert refused.value.field == "TRANSITPAY_CLOCK"
    sandbox = Settings.from_environment({"TRANSITPAY_CLOCK": SCALED, "TRANSITPAY_ENV": "sandbox"})
    assert sandbox.clock().speed == 600


@pytest.mark.parametrize(("port", "number"), [("0", 0), ("65535", 65535)])
def test_both_ends_of_the_port_range_are_ports(port: str, number: int) -> None:
    assert Settings.from_environment({"TRANSITPAY_GATEWAY_PORT": port}).gateway_port == number


def test_a_role_connects_to_database_url_with_its_own_name_and_password() -> None:
    url = "postgresql://admin:s3@db1:5432,db2:5433/transit?sslmode=verify-full"
    plain = Settings.from_environment({"DATABASE_URL": url})
    assert plain.admin_dsn() == url
    assert plain.dsn("transitpay_gateway") == (
        "postgresql://transitpay_gateway@db1:5432,db2:5433/transit?sslmode=verify-full"
    )
    words = Settings.from_environment({"DATABASE_URL": url, "TRANSITPAY_ROLE_PASSWORD": "a@b/c"})
    assert words.dsn("r").startswith("postgresql://r:a%40b%2Fc@db1:5432,db2:5433/transit?")


def test_without_database_url_a_role_connects_to_the_socket_of_the_home(tmp_path: Path) -> None:
    settings = Settings.from_environment({"TRANSITPAY_HOME": str(tmp_path)})
    assert settings.dsn("transitpay_auditor").startswith("postgresql://transitpay_auditor@/")
    assert settings.admin_dsn().startswith("postgresql://postgres@/transitpay?host=")


def test_settings_pass_to_a_child_process_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSITPAY_LOG", "text:debug")
    settings = Settings.from_environment(
        {
            "DATABASE_URL": "postgresql://u@h/d",
            "TRANSITPAY_HOME": str(tmp_path),
            "TRANSITPAY_PG_BIN": str(tmp_path),
            "TRANSITPAY_DATA": str(tmp_path),
            "TRANSITPAY_ENV": "sandbox",
            "TRANSITPAY_CLOCK": SCALED,
            "TRANSITPAY_ROLE_PASSWORD": "p",
            "TRANSITPAY_GATEWAY_HOST": "0.0.0.0",
            "TRANSITPAY_GATEWAY_PORT": "1",
            "TRANSITPAY_SETTLEMENT_PORT": "0",
            "TRANSITPAY_NOTIFY_URL": "https://transit.example/notify",
            "TRANSITPAY_RATE_FEEDS": "https://a.example/, https://b.example",
            "TRANSITPAY_RATE_LEAD_S": "30",
            "TRANSITPAY_INQUIRE_EVERY_S": "1",
            "TRANSITPAY_INQUIRE_FOR_S": "86400",
            "TRANSITPAY_LOG": "warning",
        }
    )
    child = child_environment(settings)
    assert settings.rate_feeds == ("https://a.example", "https://b.example")
    assert settings.settlement_port == 0
    assert Settings.from_environment(child) == settings
    assert set(settings.environment()) == set(SETTINGS)
    assert child["TRANSITPAY_LOG"] == "json:warning"


def test_rate_feeds_are_addresses_and_the_lead_is_at_least_half_a_minute() -> None:
    settings = Settings.from_environment(
        {"TRANSITPAY_RATE_FEEDS": " http://a/ , http://b,", "TRANSITPAY_RATE_LEAD_S": "30"}
    )
    assert settings.rate_feeds == ("http://a", "http://b") and settings.rate_lead_s == 30
    for name, value in (("TRANSITPAY_RATE_FEEDS", "a"), ("TRANSITPAY_RATE_LEAD_S", "29")):
        with pytest.raises(MalformedInput) as caught:
            Settings.from_environment({name: value})
        assert caught.value.field == name
