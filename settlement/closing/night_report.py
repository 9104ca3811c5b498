"""Reads a day's report from the database and writes it into the home."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from settlement.closing.report import DayReport, breaks_csv, json_text, page
from transitpay.postgres.closing import closings, night, recon_runs
from transitpay.postgres.money.doubtful_refunds import doubtful_refunds
from transitpay.postgres.money.refused_refunds import refused_refunds
from transitpay.postgres.money.wallet_claims import wallet_claims
from transitpay.postgres.pool import Connection


async def day_report(conn: Connection, day: date) -> DayReport:
    """Read a day's report."""
    closed = [c for c in await closings.closings(conn) if c.day == day]
    return DayReport(
        day,
        closed[0] if closed else None,
        await closings.net_positions(conn, day),
        await recon_runs.runs(conn, day),
        await recon_runs.breaks(conn, day),
        await night.steps(conn, day, day),
        await refused_refunds(conn),
        await doubtful_refunds(conn),
        await wallet_claims(conn),
    )


def write_report(report: DayReport, home: Path) -> Path:
    """Write report.json, breaks.csv and report.html; each is whole or as it was before."""
    folder = home / "reports" / report.day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("report.json", json_text(report)),
        ("breaks.csv", breaks_csv(report)),
        ("report.html", page(report)),
    ):
        fresh = folder / f".{name}"
        fresh.write_text(content, encoding="utf-8")
        os.replace(fresh, folder / name)
    return folder
