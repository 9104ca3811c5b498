"""How the lines of a fare are kept with a journey: put into words once, in every language.

What a rider has been told of a ride stays as it was told, whatever stations are called later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from transitpay.fares.fare import FareLine
from transitpay.fares.line_texts import Sentence
from transitpay.fares.names import Language
from transitpay.money import Currency, Money

#: A line as it is kept. Any: JSON.
StoredLine = Mapping[str, Any]


def lines_to_json(lines: Iterable[FareLine]) -> str:
    """[{code, text, zh-Hant, zh-Hans, note, amount_minor}]: ``text`` is English, no note may be."""
    stored = []
    for line in lines:
        it: dict[str, str | int] = {"code": line.code, "text": line.text(Language.EN)}
        it |= {tongue: line.text(tongue) for tongue in (Language.ZH_HANT, Language.ZH_HANS)}
        it |= {"note": line.note} if line.note else {}
        stored.append(it | {"amount_minor": line.amount.minor})
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))


def line_from_json(stored: StoredLine, unit: Currency) -> FareLine:
    """The line in the words that were kept; where only English was, it is English in each."""
    why = Sentence(
        stored["code"],
        stored.get(Language.ZH_HANT, stored["text"]),
        stored.get(Language.ZH_HANS, stored["text"]),
        stored["text"],
    )
    return FareLine(why, Money(stored["amount_minor"], unit), note=stored.get("note", ""))


def lines_from_json(stored: Iterable[StoredLine], unit: Currency) -> tuple[FareLine, ...]:
    """All lines of a fare in ``unit``, in their order."""
    return tuple(line_from_json(it, unit) for it in stored)
