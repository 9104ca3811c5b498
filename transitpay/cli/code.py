"""``transitpay code``: makes, draws, reads and judges ride codes."""

from __future__ import annotations

import json
import secrets
import sys
from datetime import datetime
from pathlib import Path

import click

from transitpay.cli.code_fields import fields_of
from transitpay.cli.files import read_text, write_bytes
from transitpay.clock import LOCAL_ZONE
from transitpay.destinations import (
    DESTINATIONS,
    MODES,
    bitmap,
    destination_number,
    mode_number,
)
from transitpay.errors import MalformedInput
from transitpay.money import currency, parse_major
from transitpay.ride_code import drawing, keys, layout, signing
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.golden.ride_codes import describe
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.reasons import RULES, Language, Reason
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.verdict import ReaderRules, judge
from transitpay.runtime.config import Settings
from transitpay.taps import Direction

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_text = click.argument("text")
_at = click.option("--at", "at_text", help="ISO time, UTC+8 if it names no zone. [now]")
_destination = click.option(
    "--destination", type=click.Choice(DESTINATIONS), default="hong-kong", show_default=True
)


@click.group()
def code() -> None:
    """Ride codes. TEXT is what a QR code holds (TP1:...; of a Ministry of Transport code MOT:...),
    or - to read it from standard input."""


@code.command()
@click.option("--issuer-key", required=True, type=_FILE, help="PEM of the issuer's private key.")
@click.option("--device-key", required=True, type=_FILE, help="PEM of the device's private key.")
@click.option("--key-id", type=click.IntRange(0, 65535), default=1, show_default=True)
@click.option("--rider-id", help="16 lower-case hexadecimal digits. [random]")
@click.option("--serial", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True)
@click.option("--life-h", type=click.IntRange(1, 168), default=24, show_default=True)
@click.option("--code-life-s", type=click.IntRange(5, 600), default=60, show_default=True)
@click.option("--ceiling", type=click.IntRange(0, 65535), default=500, show_default=True)
@click.option("--currency", "unit", type=click.Choice(["HKD", "CNY"]), default="HKD")
@click.option("--counter", type=click.IntRange(1, 65535), default=1, show_default=True)
@click.option("--slot", type=click.IntRange(0, 2), default=0, show_default=True)
@_destination
@_at
@_as_json
def make(
    issuer_key: Path,
    device_key: Path,
    key_id: int,
    rider_id: str | None,
    serial: int,
    life_h: int,
    code_life_s: int,
    ceiling: int,
    unit: str,
    counter: int,
    slot: int,
    destination: str,
    at_text: str | None,
    as_json: bool,
) -> None:
    """Make one code: a new authorisation from now, for every destination, in metro and bus."""
    issuer = keys.load_issuer_pem(read_text(issuer_key).encode())
    device = keys.load_device_pem(read_text(device_key).encode())
    now = int(_instant(at_text).timestamp())
    it = Authorisation(
        key_id=key_id,
        rider_id=secrets.token_hex(8) if rider_id is None else rider_id,
        serial=serial,
        device_key=keys.public_bytes(device),
        not_before=now,
        life_h=life_h,
        code_life_s=code_life_s,
        ceiling_major=ceiling,
        ceiling_currency=currency(unit),
        destinations=bitmap(range(len(DESTINATIONS))),
        modes=bitmap(map(mode_number, ("metro", "bus"))),
        rider_class=0,
        max_companions=2,
        quota=2000,
    )
    place = destination_number(destination)
    unsigned = RideCode(it, signing.sign_authorisation(it, issuer), now, counter, place, slot)
    data = layout.encode(signing.sign_code(unsigned, device))
    made = {"text": layout.write_text(data), "hex": data.hex(), "rider_id": it.rider_id}
    click.echo(json.dumps(made) if as_json else made["text"])


@code.command()
@_text
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Write a PNG file.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write an SVG file.")
@_as_json
def draw(text: str, png: Path | None, svg: Path | None, as_json: bool) -> None:
    """Draw a code as QR version 10-M, or 14-M for a Ministry of Transport code: into files, or
    without one on the terminal."""
    text = _given(text)
    files = {}
    if png is not None:
        write_bytes(png, drawing.png(text))
        files["png"] = str(png)
    if svg is not None:
        write_bytes(svg, drawing.svg(text).encode())
        files["svg"] = str(svg)
    told = files or {"terminal": drawing.terminal(text)}
    if as_json:
        click.echo(json.dumps(told))
    else:
        click.echo("\n".join(told.values()))


@code.command()
@_text
@_as_json
def read(text: str, as_json: bool) -> None:
    """Show the bytes and fields of a code; no signature is checked, so nothing is proved."""
    _say(fields_of(_given(text)), as_json)


@code.command(name="judge")
@_text
@click.option("--trust-list", required=True, type=_FILE, help="JSON; see docs/ride-code.md.")
@click.option("--deny-list", type=_FILE, help="JSON. [nobody is denied]")
@_destination
@click.option("--mode", type=click.Choice(MODES), default="metro", show_default=True)
@click.option("--direction", type=click.Choice([d.value for d in Direction]), default="entry")
@click.option("--highest-fare", help="Highest fare from this stop, as 66.00HKD. [not compared]")
@click.option("--excluded", is_flag=True, help="This service takes no ride codes.")
@click.option("--test-keys", is_flag=True, help="Believe test keys (never at a real gate).")
@click.option("--uncertainty-s", type=click.IntRange(0), default=0, show_default=True)
@_at
@_as_json
@click.pass_context
def judge_command(
    ctx: click.Context,
    text: str,
    trust_list: Path,
    deny_list: Path | None,
    destination: str,
    mode: str,
    direction: str,
    highest_fare: str | None,
    excluded: bool,
    test_keys: bool,
    uncertainty_s: int,
    at_text: str | None,
    as_json: bool,
) -> None:
    """Judge a code as a reader does. Exit code 0: accepted. 1: rejected. 2: a file is malformed."""
    fare = None
    if highest_fare is not None:
        fare = parse_major(highest_fare[:-3], currency(highest_fare[-3:]))
    rules = ReaderRules(
        destination_number(destination),
        mode_number(mode),
        Direction(direction),
        service_excluded=excluded,
        test_keys_allowed=test_keys,
        highest_fare=fare,
    )
    trust = TrustList.from_json(read_text(trust_list))
    deny = DenyList()
    if deny_list is not None:
        deny = DenyList.from_json(read_text(deny_list))
    told = describe(judge(_given(text), trust, deny, rules, _instant(at_text), uncertainty_s))
    if told["reason"] is not None:
        rule = RULES[Reason(str(told["reason"]))]
        told["action"] = rule.action.value
        told["texts"] = {language.value: rule.text(language) for language in Language}
    _say(told, as_json)
    ctx.exit(0 if told["verdict"] == "accepted" else 1)


def _given(text: str) -> str:
    """The text itself, or standard input without its one line end."""
    return sys.stdin.readline(4096).removesuffix("\n") if text == "-" else text


def _instant(text: str | None) -> datetime:
    if text is None:
        return Settings.from_environment().clock().now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedInput("bad_time", f"{text!r} is not an ISO time", field="at") from None
    return found if found.tzinfo else found.replace(tzinfo=LOCAL_ZONE)


def _say(told: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for name, value in told.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(value, dict):
            shown = "; ".join(f"{key} {text}" for key, text in value.items())
        click.echo(f"{name.replace('_', ' ')}: {shown}")
