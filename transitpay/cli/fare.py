"""``transitpay fare``: what one journey costs, explained line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from transitpay.cli.fare_book import book_of_files
from transitpay.cli.fare_question import (
    WALLETS,
    Asked,
    Question,
    history_of,
    journey_of,
    read_instant,
    read_question,
)
from transitpay.clock import service_day
from transitpay.errors import MalformedInput, RuleViolation, TransitPayError
from transitpay.fares.business_car import price_business_car
from transitpay.fares.fare import Fare, Priced
from transitpay.fares.names import Language
from transitpay.fares.pricing import price
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.tariff import EXCLUDED, Stop, TariffBook
from transitpay.fares.words import LANGUAGES
from transitpay.runtime.config import Settings
from transitpay.runtime.tariff_folder import load_book

NETWORKS = (
    "mtr",
    "kmb",
    "citybus",
    "nlb",
    "shenzhen-metro",
    "shenzhen-bus",
    "guangzhou-bus",
    "zhongshan-bus",
    "foshan-bus",
)
_NOT_BY_CODE = "ride codes are refused in the business car: this is the fare of a card or ticket"


@click.command()
@click.option("--network", required=True, help=", ".join(NETWORKS) + ".")
@click.option("--from", "start", required=True, help="Station (id, name, code), or bus route.")
@click.option("--to", "end", help="Station where the rider leaves.")
@click.option("--at", "at_text", help="Entry or boarding: day or ISO time, UTC+8 if no zone. [now]")
@click.option("--wallet", default="alipayhk", show_default=True, help=", ".join(WALLETS) + ".")
@click.option("--minutes", default=30, show_default=True, help="Time from entry to exit.")
@click.option("--board-at", help="Bus: id of the stop where the rider boards, if fares go by it.")
@click.option("--alight-at", help="Bus: id of the stop where the rider scans again.")
@click.option("--stage-fare", help="Bus: the full fare that the reader set, such as 5.00.")
@click.option("--length-km", help="Bus: length of the route, where fares go by it, such as 17.5.")
@click.option("--ridden-km", help="Bus: how far the rider goes, where long routes cost so.")
@click.option("--after", help="Network of the ride before, for a transfer.")
@click.option("--after-minutes", default=30, show_default=True, help="How long ago it ended.")
@click.option("--month-spend", help="What this month has cost before, where fares go by it.")
@click.option("--business-from", help="Station where the rider takes the business car.")
@click.option("--business-to", help="Station where the rider leaves the business car.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of public data files. [TRANSITPAY_DATA, else small built-in networks]",
)
@click.option(
    "--tariff",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the network's fares, as `tariffs check` reads it, in place of the folder's; "
    "may be given several times.",
)
@click.option(
    "--terms",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Terms file to stand beside --tariff. [the published one in the package]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def fare(
    context: click.Context,
    /,
    network: str,
    at_text: str | None,
    data: Path | None,
    files: tuple[Path, ...],
    terms: Path | None,
    as_json: bool,
    **options: str | int | None,
) -> None:
    """Explain one fare, line by line.

    Exit code 0: the fare; 1: the service does not take ride codes or not this wallet's, no
    tariff was in force, or it has no fare between the two stations; 2: something in the question
    cannot be read.
    """
    settings = Settings.from_environment()
    data = data or settings.data
    try:
        network = _network(network)
        at = settings.clock().now() if at_text is None else read_instant(at_text)
        if (files or terms) and network not in EXCLUDED:
            book = book_of_files(network, files, terms)
        else:
            book = load_book(data, networks=[network])
        tariff = book.tariff(network, service_day(at))
        question = read_question(_asked(options), tariff, at)
        answer = _answer(question, book)
    except TransitPayError as error:
        refusal = error if data or files else _of_the_small_network(error)
        if not isinstance(refusal, RuleViolation):
            raise refusal from None
        if as_json:
            said = {"refused": refusal.code, "field": refusal.field, "reason": refusal.message}
            click.echo(json.dumps(said, ensure_ascii=False))
        click.echo(f"transitpay: {refusal.message}", err=True)
        context.exit(1)
    if as_json:
        click.echo(json.dumps(_as_json(question, answer), ensure_ascii=False))
    else:
        _show(question, answer)


def _asked(options: dict[str, str | int | None]) -> Asked:
    asked = {it.name: options[it.name] for it in fields(Asked)}
    if asked["after"] is not None:
        asked["after"] = _network(str(asked["after"]))
    asked["wallet"] = _known(str(asked["wallet"]), WALLETS)
    return Asked(**asked)  # type: ignore[arg-type]  # click has given each option its type


def _answer(question: Question, book: TariffBook) -> Fare:
    """Raises: what keeps the journey from having a fare."""
    if question.business is not None:
        assert question.to_stop is not None, "only stations have a business car"
        ends = (question.from_stop, question.to_stop)
        try:
            stay = timedelta(minutes=question.asked.minutes)
            return price_business_car(ends, question.business, stay, question.tariff)
        except MalformedInput as error:
            option = f"--{(error.field or '').replace('_', '-')}"
            raise MalformedInput(error.code, error.message, field=option) from None
    journey, tariff = journey_of(question), question.tariff
    history = history_of(question, book)
    price(journey, tariff, question.asked.wallet, book.calendars)
    others = [it for of in book.networks if of != tariff.network for it in book.versions(of)]
    found = price_all([journey], TariffBook([*others, tariff], book.calendars.values()), history)[0]
    assert isinstance(found, Priced), "what has a fare alone has one with its history"
    return found.fare


def _of_the_small_network(error: TransitPayError) -> TransitPayError:
    """``error``; where a stop is unknown and no folder was read, it says that this may be why."""
    if error.code != "unknown_stop":
        return error
    hint = "; --data reads the operators' files, only a small built-in network was searched"
    return MalformedInput(error.code, error.message + hint, field=error.field)


def _network(text: str) -> str:
    """The id of the network that ``text`` spells."""
    return _known(text, (*NETWORKS, *EXCLUDED))


def _known(text: str, names: Iterable[str]) -> str:
    """The one of ``names`` that ``text`` spells: case, blanks and hyphens do not matter."""
    spelled = "".join(c for c in text.casefold() if c.isalnum())
    return next((known for known in names if known.replace("-", "") == spelled), text)


def _as_json(question: Question, answer: Fare) -> dict[str, object]:
    tariff, asked = question.tariff, question.asked
    stays = question.to_stop is not None or asked.alight_at is not None
    return {
        "network": tariff.network,
        "operator": tariff.operator,
        "wallet": asked.wallet,
        "at": question.at.isoformat(),
        "service_day": service_day(question.at).isoformat(),
        "from": _stop_json(question.from_stop),
        "to": None if question.to_stop is None else _stop_json(question.to_stop),
        "board_at": asked.board_at,
        "alight_at": asked.alight_at,
        "minutes": asked.minutes if stays else None,
        "ride_code_accepted": question.business is None,
        "amount_minor": answer.amount.minor,
        "currency": answer.amount.currency.code,
        "amount": str(answer.amount.major()),
        "lines": [
            {
                "code": line.code,
                "text": line.text(Language.EN),
                "texts": {it.value: line.text(it) for it in LANGUAGES},
                "note": line.note or None,
                "amount_minor": line.amount.minor,
            }
            for line in answer.lines
        ],
        "unknown": list(tariff.terms.unknown),
        "without_effect": list(question.without_effect),
        "tariff": {
            "version": answer.tariff_version,
            "valid_from": tariff.valid_from.isoformat(),
            "source": tariff.source,
        },
    }


def _stop_json(stop: Stop) -> dict[str, object]:
    return {"id": stop.id, "names": list(stop.names)}


def _show(question: Question, answer: Fare) -> None:
    stops = [question.from_stop] + ([question.to_stop] if question.to_stop else [])
    table = Table(title=" - ".join(" / ".join(stop.names) for stop in stops), title_justify="left")
    table.add_column("line")
    table.add_column("why")
    table.add_column(answer.amount.currency.code, justify="right")
    for line in answer.lines:
        why = [line.text(it) for it in LANGUAGES] + ([f"({line.note})"] if line.note else [])
        table.add_row(line.code, escape("\n".join(why)), str(line.amount.major()))
    table.add_section()
    table.add_row("total", "", str(answer.amount.major()))
    console = Console()
    console.print(table)
    notes = [
        f"{question.tariff.network}, tariff {answer.tariff_version} in force from "
        f"{question.tariff.valid_from}: {question.tariff.source}"
    ]
    notes += [_NOT_BY_CODE] if question.business is not None else []
    notes += [f"without effect: {said}" for said in question.without_effect]
    notes += [f"not known: {said}" for said in question.tariff.terms.unknown]
    for note in notes:
        console.print(note, highlight=False, markup=False)
