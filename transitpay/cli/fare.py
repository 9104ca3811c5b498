"""``transitpay fare``: what one journey costs, explained line by line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from transitpay.clock import LOCAL_ZONE, day_start, service_day, wallet_day
from transitpay.errors import MalformedInput, RuleViolation, TransitPayError
from transitpay.fares.fare import Fare
from transitpay.fares.pricing import price
from transitpay.fares.tariff import EXCLUDED, Stop, Tariff, TariffKind
from transitpay.journeys.journey import Journey, boarding, passage
from transitpay.money import Money, parse_major
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.config import Settings
from transitpay.runtime.tariff_folder import load_book
from transitpay.taps import Direction, RiderRef, Tap, TapKey

WALLETS = ("alipayhk", "alipay", "shenzhen-tong")
_NOBODY = "0" * 16


@dataclass(frozen=True, slots=True)
class _Question:
    """What was asked, read and checked."""

    tariff: Tariff
    wallet: str
    from_stop: Stop
    to_stop: Stop | None
    at: datetime
    minutes: int
    stage_fare_minor: int | None


@click.command()
@click.option("--network", required=True, help="mtr, kmb, citybus, shenzhen-metro, shenzhen-bus.")
@click.option("--from", "start", required=True, help="Station (id, name, code), or bus route.")
@click.option("--to", "end", help="Station where the rider leaves; not used on buses.")
@click.option("--at", "at_text", help="Entry or boarding: day or ISO time, UTC+8 if no zone. [now]")
@click.option("--wallet", default="alipayhk", show_default=True, help=", ".join(WALLETS) + ".")
@click.option("--minutes", default=30, show_default=True, help="Time from entry to exit.")
@click.option("--stage-fare", help="Bus: the full fare that the reader set, such as 5.00.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of public data files. [TRANSITPAY_DATA, else a small built-in network]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def fare(
    context: click.Context,
    network: str,
    start: str,
    end: str | None,
    at_text: str | None,
    wallet: str,
    minutes: int,
    stage_fare: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Explain one fare, line by line.

    Exit code 0: the fare; 1: the service does not take ride codes, or no tariff was in force;
    2: something in the question cannot be read.
    """
    settings = Settings.from_environment()
    data = data or settings.data
    try:
        network = _network(network)
        at = settings.clock().now() if at_text is None else _instant(at_text)
        tariff = load_book(data, networks=[network]).tariff(network, service_day(at))
        question = _question(tariff, wallet, start, end, at, minutes, stage_fare)
        answer = price(_journey(question), tariff, wallet)
    except TransitPayError as error:
        refusal = error if data else _of_the_small_network(error)
        if as_json:
            said = {"refused": refusal.code, "field": refusal.field, "reason": refusal.message}
            click.echo(json.dumps(said, ensure_ascii=False))
        if not isinstance(refusal, RuleViolation):
            raise refusal from None
        click.echo(f"transitpay: {refusal.message}", err=True)
        context.exit(1)
    if as_json:
        click.echo(json.dumps(_as_json(question, answer), ensure_ascii=False))
    else:
        _show(question, answer)


def _question(
    tariff: Tariff,
    wallet: str,
    start: str,
    end: str | None,
    at: datetime,
    minutes: int,
    stage_fare: str | None,
) -> _Question:
    if wallet not in WALLETS:
        raise MalformedInput(
            "unknown_wallet", f"{wallet!r} is none of {', '.join(WALLETS)}", field="--wallet"
        )
    longest = tariff.terms.longest_stay_minutes
    if longest is not None and not 0 <= minutes <= longest:
        raise MalformedInput(
            "bad_minutes",
            f"{minutes} is not from 0 to {longest}; a longer stay is two incomplete journeys",
            field="--minutes",
        )
    flat = tariff.kind is TariffKind.FLAT
    if not flat and end is None:
        raise MalformedInput("missing_stop", f"{tariff.network} needs both stations", field="--to")
    if not flat and stage_fare is not None:
        raise MalformedInput("bad_stage_fare", "only buses have one", field="--stage-fare")
    return _Question(
        tariff=tariff,
        wallet=wallet,
        from_stop=tariff.find_stop(start, field="--from"),
        to_stop=None if flat or end is None else tariff.find_stop(end, field="--to"),
        at=at,
        minutes=minutes,
        stage_fare_minor=None if stage_fare is None else _stage_fare(stage_fare, tariff),
    )


def _stage_fare(text: str, tariff: Tariff) -> int:
    try:
        minor = parse_major(text, tariff.currency).minor
    except MalformedInput as error:
        raise MalformedInput("bad_stage_fare", error.message, field="--stage-fare") from None
    if minor % tariff.terms.step_minor and not tariff.terms.tiers:
        step = Money(tariff.terms.step_minor, tariff.currency)
        raise MalformedInput(
            "bad_stage_fare", f"{text} is not a multiple of {step}", field="--stage-fare"
        )
    return minor


def _of_the_small_network(error: TransitPayError) -> TransitPayError:
    """``error``; where a stop is unknown and no folder was read, it says that this may be why."""
    if error.code != "unknown_stop":
        return error
    hint = "; --data reads the operators' files, only a small built-in network was searched"
    return MalformedInput(error.code, error.message + hint, field=error.field)


def _network(text: str) -> str:
    """The id of the network that ``text`` spells: case, blanks and hyphens do not matter."""
    spelled = "".join(c for c in text.casefold() if c.isalnum())
    for known in (*builtin_book().networks, *EXCLUDED):
        if known.replace("-", "") == spelled:
            return known
    return text


def _instant(text: str) -> datetime:
    """The instant that was asked for, in UTC; a day alone means its noon."""
    try:
        if "T" not in text and " " not in text.strip():
            return day_start(date.fromisoformat(text.strip()), hour=12)
        at = datetime.fromisoformat(text.strip())
        if not MINYEAR < at.year < MAXYEAR:
            raise ValueError("no room for zones and stays")
    except ValueError:
        raise MalformedInput(
            "bad_time", f"{text!r} is neither a day nor an ISO time", field="--at"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=LOCAL_ZONE)).astimezone(UTC)


def _journey(question: _Question) -> Journey:
    limit = question.tariff.terms.limit_minutes
    if question.to_stop is None or limit is None:
        return boarding(_tap(question, Direction.BOARD, question.from_stop, question.at, 1))
    leaves_at = question.at + timedelta(minutes=question.minutes)
    return passage(
        _tap(question, Direction.ENTRY, question.from_stop, question.at, 1),
        _tap(question, Direction.EXIT, question.to_stop, leaves_at, 2),
        timedelta(minutes=limit),
    )


def _tap(question: _Question, direction: Direction, stop: Stop, at: datetime, sequence: int) -> Tap:
    return Tap(
        key=TapKey(wallet_day(at), "question", sequence),
        rider=RiderRef(question.wallet, _NOBODY),
        operator=question.tariff.operator,
        network=question.tariff.network,
        stop=stop.id,
        direction=direction,
        at=at,
        stage_fare_minor=question.stage_fare_minor,
    )


def _as_json(question: _Question, answer: Fare) -> dict[str, object]:
    tariff = question.tariff
    return {
        "network": tariff.network,
        "operator": tariff.operator,
        "wallet": question.wallet,
        "at": question.at.isoformat(),
        "service_day": service_day(question.at).isoformat(),
        "from": _stop_json(question.from_stop),
        "to": None if question.to_stop is None else _stop_json(question.to_stop),
        "minutes": None if question.to_stop is None else question.minutes,
        "amount_minor": answer.amount.minor,
        "currency": answer.amount.currency.code,
        "amount": str(answer.amount.major()),
        "lines": [
            {"code": line.code, "text": line.text, "amount_minor": line.amount.minor}
            for line in answer.lines
        ],
        "tariff": {
            "version": answer.tariff_version,
            "valid_from": tariff.valid_from.isoformat(),
            "source": tariff.source,
        },
    }


def _stop_json(stop: Stop) -> dict[str, object]:
    return {"id": stop.id, "names": list(stop.names)}


def _show(question: _Question, answer: Fare) -> None:
    stops = [question.from_stop] + ([question.to_stop] if question.to_stop else [])
    table = Table(title=" - ".join(" / ".join(stop.names) for stop in stops), title_justify="left")
    table.add_column("line")
    table.add_column("why")
    table.add_column(answer.amount.currency.code, justify="right")
    for line in answer.lines:
        table.add_row(line.code, line.text, str(line.amount.major()))
    table.add_section()
    table.add_row("total", "", str(answer.amount.major()))
    console = Console()
    console.print(table)
    console.print(
        f"{question.tariff.network}, tariff {answer.tariff_version} in force from "
        f"{question.tariff.valid_from}: {question.tariff.source}",
        highlight=False,
        markup=False,
    )
