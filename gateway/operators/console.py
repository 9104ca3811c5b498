"""Pages for people: one day on one page, rendered here, with a login by token.

No script, no asset from elsewhere; the policy header allows nothing but our own style sheet.
An operator sees its own journeys and position, the house's people see everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from urllib.parse import parse_qsl

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from gateway.auth import SESSION_COOKIE
from gateway.http.web import LOGIN_PATH, Call, Route
from gateway.operators.operator_api import HOUSE, MOST_PROPOSALS, read_day, report_of
from gateway.operators.operator_models import DayReport, TapCount
from transitpay.clock import LOCAL_ZONE, waited, wallet_day
from transitpay.postgres.journeys import records
from transitpay.postgres.reference import Role

PEOPLE = HOUSE | {Role.OPERATOR}
_SESSION_S = 8 * 3600
_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_BAR_WIDTH = 600


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a bar: label, count, left edge and width in units of the drawing."""

    label: str
    count: int
    x: int
    width: int


def bar(counts: Iterable[tuple[str, int]]) -> list[Segment]:
    """The parts of a bar whose whole is the sum of the counts; widths are rounded down."""
    known = [(label, count) for label, count in counts if count]
    total = sum(count for _, count in known)
    segments: list[Segment] = []
    x = 0
    for label, count in known:
        width = _BAR_WIDTH * count // total
        segments.append(Segment(label, count, x, width))
        x += width
    return segments


def amount(minor: int) -> str:
    """Minor units of a currency with two decimals, for people: 5220 is 52.20."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02}"


def moment(at: datetime) -> str:
    """An instant as a clock in Hong Kong and Shenzhen shows it, in which riders are told of it."""
    return at.astimezone(LOCAL_ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("gateway.operators", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["amount"] = amount
    made.filters["moment"] = moment
    made.filters["waited"] = waited
    return made


_PAGES = _environment()


def render_page(name: str, status: int = 200, **values: object) -> web.Response:
    """A page for people, by the name of its template."""
    text = _PAGES.get_template(name).render(**values)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)


async def show_day(call: Call) -> web.Response:
    """The day asked for in ``?day=``; without it the last one that has journeys, or today.

    Raises: RuleViolation (``not_found``).
    """
    text = call.request.query.get("day", "")
    asked = read_day(text) if text else None
    today = wallet_day(call.services.clock.now())
    async with call.services.database.transaction() as conn:
        day = asked or await records.latest_journey_day(conn, today) or today
        report = await report_of(conn, day)
    actor = call.caller.actor
    whole = actor.role is not Role.OPERATOR
    if not whole:
        report = only_of(report, call.participant)
    return render_page(
        "day.html", report=report, actor=actor, whole=whole, taps=bar(_sums(report.taps)),
        now=call.services.clock.now(), most=MOST_PROPOSALS,
    )  # fmt: skip


def only_of(report: DayReport, operator: str) -> DayReport:
    """What an operator may see of a day."""
    return DayReport(
        day=report.day,
        taps=[it for it in report.taps if it.operator == operator],
        journeys=[it for it in report.journeys if it.operator == operator],
        charges=[],
        net_positions=[it for it in report.net_positions if it.participant == operator],
        breaks=[],
        night=[],
        balances=[],
        owed_to_riders=[],
        refunds_in_doubt=[],
        owed_by_wallets=[],
        proposals=[it for it in report.proposals if it.operator == operator],
        ledger_balanced=report.ledger_balanced,
        last_closing=report.last_closing,
    )


def _sums(taps: Iterable[TapCount]) -> list[tuple[str, int]]:
    found = {"accepted": 0, "already_answered": 0, "refused": 0}
    for it in taps:
        found[it.decision] += it.taps
    return list(found.items())


async def show_login(call: Call) -> web.Response:
    """The login form."""
    return render_page("login.html", failed=False)


async def log_in(call: Call) -> web.Response:
    """Take a token into a cookie that no script and no other site can use."""
    fields = dict(parse_qsl(call.raw.decode("utf-8", "replace"), max_num_fields=4))
    token = fields.get("token", "").strip()
    holder = await call.services.authenticator.holder_of(token) if token else None
    if holder is None or holder.actor.role not in PEOPLE:
        return render_page("login.html", status=401, failed=True)
    answer = web.Response(status=303, headers={"Location": "/console", **_HEADERS})
    answer.set_cookie(
        SESSION_COOKIE, token, max_age=_SESSION_S, path="/console", httponly=True,
        samesite="Strict", secure=call.request.secure,
    )  # fmt: skip
    call.services.events.info("logged_in", actor=holder.actor.id)
    return answer


async def log_out(call: Call) -> web.Response:
    """Forget the cookie."""
    answer = web.Response(status=303, headers={"Location": LOGIN_PATH, **_HEADERS})
    answer.del_cookie(SESSION_COOKIE, path="/console")
    return answer


async def style(call: Call) -> web.Response:
    """The one style sheet."""
    sheet = resources.files("gateway.operators") / "templates" / "style.css"
    text = sheet.read_text(encoding="utf-8")
    return web.Response(text=text, content_type="text/css", headers=_HEADERS)


ROUTES = (
    Route(
        "GET", "/console", show_day, "One day on one page", PEOPLE, page=True,
        media="text/html", also=(303,), errors=("not_found",),
    ),
    Route("GET", LOGIN_PATH, show_login, "The login form", None, page=True, media="text/html"),
    Route(
        "POST", LOGIN_PATH, log_in, "Log in with a token", None, page=True, raw_body=True,
        status=303, also=(), errors=("unauthenticated",),
    ),
    Route("POST", "/console/logout", log_out, "Log out", None, page=True, status=303),
    Route("GET", "/console/style.css", style, "Style sheet", None, page=True, media="text/css"),
)  # fmt: skip
