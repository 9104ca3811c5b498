"""Reads and writes the JSON of the partner protocol: an object whose scalars are all strings.

Optional is absent or null, never "". What is not known is let through, so that a partner may add
fields; what is known is read strictly, and a fault names its field by its path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from transitpay.charging.signature import time_text
from transitpay.charging.wallet_port import WalletQuote
from transitpay.errors import MalformedInput
from transitpay.money import Currency, Money, currency

#: A JSON value as the parser gives it: whole objects, with numbers as Decimal.
Json = Mapping[str, "Json"] | list["Json"] | str | Decimal | bool | None
#: What a builder writes: None is left out.
Tree = Mapping[str, "Tree"] | str | None

_MINOR = re.compile(r"[0-9]{1,15}")
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,18})?")
#: A zero byte, or half of a character: no text that a database can keep.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
#: Business instants outside these years are mistakes, and near the ends no zone can hold them.
_YEARS = range(2000, 2100)


def write(message: Mapping[str, Tree]) -> bytes:
    """The message as bytes: compact, UTF-8, in the order given, without what is None."""
    return json.dumps(_kept(message), ensure_ascii=False, separators=(",", ":")).encode()


def write_amount(amount: Money) -> dict[str, Tree]:
    """``{"currency":"HKD","value":"599"}``: minor units as a string."""
    assert amount.minor >= 0, "the protocol has no negative amounts"
    return {"currency": amount.currency.code, "value": str(amount.minor)}


def write_optional_amount(amount: Money | None) -> dict[str, Tree] | None:
    """The amount, or nothing."""
    return None if amount is None else write_amount(amount)


def write_instant(at: datetime | None) -> str | None:
    """The instant in UTC+8, or nothing."""
    return None if at is None else time_text(at)


def write_quote(quote: WalletQuote | None) -> dict[str, Tree] | None:
    """A wallet's quote; the price is written as a string."""
    if quote is None:
        return None
    guaranteed = None if quote.guaranteed is None else str(quote.guaranteed).lower()
    return {
        "quoteId": quote.quote_id,
        "quoteCurrencyPair": f"{quote.base.code}/{quote.quote.code}",
        "quotePrice": f"{quote.price:f}",
        "quoteStartTime": write_instant(quote.start_at),
        "quoteExpiryTime": write_instant(quote.expiry_at),
        "guaranteed": guaranteed,
    }


def read(body: bytes) -> Fields:
    """The one object that the bytes hold.

    Raises: MalformedInput (``bad_json``): not UTF-8, not JSON, a name given twice, not an object.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=_number,
            parse_int=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as problem:
        raise MalformedInput("bad_json", "the body is not UTF-8 JSON") from problem
    if not isinstance(value, dict):
        raise MalformedInput("bad_json", "the body is not a JSON object")
    return Fields(value)


@dataclass(frozen=True, slots=True)
class Fields:
    """One object of a message; ``path`` is where it stands, for errors."""

    values: Mapping[str, Json]
    path: str = ""

    def name(self, field: str) -> str:
        return f"{self.path}.{field}" if self.path else field

    def text(self, field: str, limit: int = 256) -> str:
        """A required string of 1 to ``limit`` characters. Raises: MalformedInput."""
        value = self.optional_text(field, limit)
        if value is None:
            raise MalformedInput("missing_field", "is required", field=self.name(field))
        return value

    def optional_text(self, field: str, limit: int = 256) -> str | None:
        """A string, or None where it is absent or null. Raises: MalformedInput."""
        value = self.values.get(field)
        if value is None:
            return None
        if not isinstance(value, str):
            raise MalformedInput("bad_field", "is not a string", field=self.name(field))
        if not 0 < len(value) <= limit:
            detail = f"has {len(value)} characters, not 1 to {limit}"
            raise MalformedInput("bad_field", detail, field=self.name(field))
        if _NO_TEXT.search(value):
            raise MalformedInput("bad_field", "holds no text", field=self.name(field))
        return value

    def within(self, field: str) -> Fields:
        """A required object. Raises: MalformedInput."""
        inner = self.optional_within(field)
        if inner is None:
            raise MalformedInput("missing_field", "is required", field=self.name(field))
        return inner

    def optional_within(self, field: str) -> Fields | None:
        """An object, or None where it is absent or null. Raises: MalformedInput."""
        value = self.values.get(field)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise MalformedInput("bad_field", "is not an object", field=self.name(field))
        return Fields(value, self.name(field))

    def amount(self, field: str) -> Money:
        """A required amount in minor units. Raises: MalformedInput."""
        return _money(self.within(field))

    def optional_amount(self, field: str) -> Money | None:
        inner = self.optional_within(field)
        return None if inner is None else _money(inner)

    def unit(self, field: str) -> Currency:
        """A required currency code. Raises: MalformedInput."""
        return _known_currency(self.text(field, 3), self.name(field))

    def instant(self, field: str) -> datetime:
        """A required ISO 8601 instant with an offset, as UTC. Raises: MalformedInput."""
        return self._instant(field, self.text(field, 40))

    def optional_instant(self, field: str) -> datetime | None:
        text = self.optional_text(field, 40)
        return None if text is None else self._instant(field, text)

    def flag(self, field: str) -> bool | None:
        """A boolean, written as the string "true" or "false". Raises: MalformedInput."""
        text = self.optional_text(field, 5)
        if text not in (None, "true", "false"):
            raise MalformedInput("bad_field", 'is not "true" or "false"', field=self.name(field))
        return None if text is None else text == "true"

    def optional_quote(self, field: str) -> WalletQuote | None:
        """A wallet's quote; its price may be a string or a number. Raises: MalformedInput."""
        inner = self.optional_within(field)
        if inner is None:
            return None
        pair = inner.text("quoteCurrencyPair", 7)
        codes = pair.split("/")
        if len(codes) != 2 or codes[0] == codes[1]:
            detail = f"{pair!r} is not a pair like HKD/CNY"
            raise MalformedInput("bad_field", detail, field=inner.name("quoteCurrencyPair"))
        return WalletQuote(
            inner.text("quoteId", 64),
            _known_currency(codes[0], inner.name("quoteCurrencyPair")),
            _known_currency(codes[1], inner.name("quoteCurrencyPair")),
            inner._price("quotePrice"),
            inner.optional_instant("quoteStartTime"),
            inner.optional_instant("quoteExpiryTime"),
            inner.flag("guaranteed"),
        )

    def _price(self, field: str) -> Decimal:
        value = self.values.get(field)
        text = f"{value:f}" if isinstance(value, Decimal) else value
        if not isinstance(text, str) or not _PRICE.fullmatch(text) or Decimal(text) <= 0:
            raise MalformedInput(
                "bad_field", "is not a plain price above 0", field=self.name(field)
            )
        return Decimal(text)

    def _instant(self, field: str, text: str) -> datetime:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or "T" not in text or at.year not in _YEARS:
            detail = f"{text!r} is not an ISO 8601 instant of our time with an offset"
            raise MalformedInput("bad_field", detail, field=self.name(field))
        return at.astimezone(UTC)


def _money(fields: Fields) -> Money:
    value = fields.text("value", 15)
    if not _MINOR.fullmatch(value):
        detail = f"{value!r} is not a number of minor units"
        raise MalformedInput("bad_field", detail, field=fields.name("value"))
    return Money(int(value), fields.unit("currency"))


def _known_currency(code: str, field: str) -> Currency:
    try:
        return currency(code)
    except MalformedInput as problem:
        raise MalformedInput(problem.code, problem.message, field=field) from None


def _kept(tree: Mapping[str, Tree]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, value in tree.items():
        assert value != "", f"{name}: optional is absent, never empty"
        if value is not None:
            kept[name] = value if isinstance(value, str) else _kept(value)
    return kept


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise MalformedInput("bad_json", "is given twice", field=name)
        found[name] = value
    return found


def _number(text: str) -> Decimal | None:
    """A number; None where writing it out would fill the memory, so its field reads as absent."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if abs(value.adjusted()) < 100 else None


def _no_constant(text: str) -> Decimal:
    raise MalformedInput("bad_json", f"{text} is not JSON")
