"""Golden vectors: frozen ride codes with the verdict that every implementation must reach.

The files are resources of this package (``vectors/ride-code-v1.json``), so they are found in a
checkout and in an installed package alike. All keys in them are TEST ONLY.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TypeVar

from transitpay.errors import MalformedInput
from transitpay.money import Money, currency
from transitpay.ride_code import jsonfields as fields
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.verdict import Accepted, ReaderRules, Rejected, judge
from transitpay.taps import Direction

FORMAT = "transitpay-ride-code-vectors/1"
_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict in comparable form; ``flags`` is None where an answer does not tell them."""

    verdict: str
    reason: str | None
    flags: tuple[str, ...] | None = None

    def agrees_with(self, other: Answer) -> bool:
        """Whether verdict and reason are the same, and the flags where both tell them."""
        flags_differ = None not in (self.flags, other.flags) and self.flags != other.flags
        return (self.verdict, self.reason) == (other.verdict, other.reason) and not flags_differ

    def __str__(self) -> str:
        words = [self.verdict, *([self.reason] if self.reason else []), *(self.flags or ())]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Vector:
    """One code with everything that its verdict depends on, and that verdict.

    ``details`` are the further expectations of an accepted code: issuer, rider, replay key.
    """

    name: str
    note: str
    text: str
    trust: TrustList
    deny: DenyList
    reader: ReaderRules
    at: datetime
    uncertainty_s: int
    expected: Answer
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Difference:
    """A vector whose answer is not the expected one; ``given`` is None if there was none."""

    name: str
    expected: str
    given: str | None


def shipped_text(name: str = "ride-code") -> str:
    """A vector file of this package, as it is: ``ride-code``, or ``mot`` for the second format."""
    resource = files("transitpay.ride_code") / "vectors" / f"{name}-v1.json"
    return resource.read_text(encoding="utf-8")


def read_vectors(text: str) -> list[Vector]:
    """All vectors of a file, in its order.

    Raises: MalformedInput (``bad_json``, ``bad_field``, ``bad_public_key``) naming the field.
    """
    source = fields.load_object(text, "vectors")
    if fields.text(source, "format") != FORMAT:
        raise fields.bad("format", f"must be {FORMAT}")
    trust = {k: TrustList.from_object(v) for k, v in _table(source, "trust_lists").items()}
    deny = {k: DenyList.from_object(v) for k, v in _table(source, "deny_lists").items()}
    readers = {k: read_reader(v, f"readers.{k}.") for k, v in _table(source, "readers").items()}
    found = []
    for i, one in enumerate(fields.objects(source, "vectors")):
        at = f"vectors[{i}]."
        expected = fields.as_object(one.get("expect"), at + "expect")
        vector = Vector(
            fields.text(one, "name", at),
            fields.text(one, "note", at),
            _any_text(one, "text", at),
            _named(trust, one, "trust_list", at),
            _named(deny, one, "deny_list", at),
            _named(readers, one, "reader", at),
            _EPOCH + timedelta(seconds=fields.integer(one, "at", 32, at)),
            fields.integer(one, "uncertainty_s", 32, at),
            _read_answer(expected, at + "expect."),
            expected,
        )
        found.append(vector)
    if not found:
        raise fields.bad("vectors", "must hold a vector")
    if len({vector.name for vector in found}) != len(found):
        raise fields.bad("vectors", "two vectors have one name")
    return found


def read_answers(text: str) -> dict[str, Answer]:
    """Another implementation's answers: vector name -> {verdict, reason, flags (optional)}.

    Raises: MalformedInput (``bad_json``, ``bad_field``) naming the field.
    """
    source = fields.load_object(text, "answers")
    return {
        name: _read_answer(fields.as_object(one, name), f"{name}.") for name, one in source.items()
    }


def judge_vector(vector: Vector) -> Accepted | Rejected:
    """Our verdict on a vector."""
    return judge(
        vector.text, vector.trust, vector.deny, vector.reader, vector.at, vector.uncertainty_s
    )


def answer_of(found: Accepted | Rejected) -> Answer:
    """A verdict in the form that is compared."""
    if isinstance(found, Rejected):
        return Answer("rejected", found.reason.value, ())
    return Answer("accepted", None, tuple(flag.value for flag in found.flags))


def describe(found: Accepted | Rejected) -> dict[str, object]:
    """A verdict as JSON, in the form of a vector's ``expect``."""
    answer = answer_of(found)
    told: dict[str, object] = {
        "verdict": answer.verdict,
        "reason": answer.reason,
        "flags": list(answer.flags or ()),
    }
    if isinstance(found, Accepted):
        key = found.replay_key
        told["issuer"] = found.issuer
        told["rider_id"] = found.rider.rider_id
        told["slot"] = found.rider.slot
        told["replay_key"] = {
            "device_key": key.device_key.hex(),
            "not_before": key.not_before,
            "serial": key.serial,
            "counter": key.counter,
        }
    return told


def compare(vectors: list[Vector], answers: Mapping[str, Answer]) -> list[Difference]:
    """Every vector whose answer is missing or not the expected one, in file order.

    Raises: MalformedInput (``unknown_vector``) if an answer is to no vector of the file.
    """
    for name in sorted(set(answers) - {vector.name for vector in vectors}):
        raise MalformedInput("unknown_vector", "is no vector of this file", field=name)
    found = []
    for vector in vectors:
        given = answers.get(vector.name)
        if given is None or not given.agrees_with(vector.expected):
            told = None if given is None else str(given)
            found.append(Difference(vector.name, str(vector.expected), told))
    return found


def read_reader(source: Mapping[str, object], at: str = "") -> ReaderRules:
    """Reader rules from JSON.

    Raises: MalformedInput (``bad_field``, ``bad_reader_rules``, ``unknown_currency``).
    """
    try:
        direction = Direction(fields.text(source, "direction", at))
    except ValueError:
        known = ", ".join(Direction)
        raise fields.bad(at + "direction", f"must be one of {known}") from None
    fares = tuple(
        Money(
            fields.integer(f, "minor", 63, f"{at}highest_fares."),
            currency(fields.text(f, "currency", f"{at}highest_fares.")),
        )
        for f in fields.objects(source, "highest_fares", at)
    )
    return ReaderRules(
        destination=fields.integer(source, "destination", 4, at),
        mode=fields.integer(source, "mode", 3, at),
        direction=direction,
        service_excluded=fields.boolean(source, "service_excluded", at),
        test_keys_allowed=fields.boolean(source, "test_keys_allowed", at),
        highest_fare=fares[0] if fares else None,
        other_highest_fares=fares[1:],
        max_age_s=fields.integer(source, "max_age_s", 16, at),
        max_future_s=fields.integer(source, "max_future_s", 16, at),
        overstay_s=fields.integer(source, "overstay_s", 32, at),
        mot_max_age_s=fields.integer({"mot_max_age_s": 600, **source}, "mot_max_age_s", 16, at),
    )


def _read_answer(source: Mapping[str, object], at: str) -> Answer:
    verdict, reason, flags = (source.get(name) for name in ("verdict", "reason", "flags"))
    if verdict not in ("accepted", "rejected"):
        raise fields.bad(at + "verdict", "must be accepted or rejected")
    if verdict == "accepted" and reason is not None:
        raise fields.bad(at + "reason", "an accepted code has none (null)")
    if verdict == "rejected" and reason not in list(Reason):
        raise fields.bad(at + "reason", "is not a reason of docs/ride-code.md")
    if flags is not None and not isinstance(flags, list):
        raise fields.bad(at + "flags", "must be a list of reasons")
    told = None if flags is None else tuple(str(flag) for flag in flags)
    return Answer(str(verdict), None if reason is None else str(reason), told)


def _table(source: Mapping[str, object], name: str) -> dict[str, Mapping[str, object]]:
    table = fields.as_object(source.get(name), name)
    return {key: fields.as_object(value, f"{name}.{key}") for key, value in table.items()}


def _named(table: Mapping[str, _T], source: Mapping[str, object], name: str, at: str) -> _T:
    key = fields.text(source, name, at)
    if key not in table:
        raise fields.bad(at + name, f"{key!r} is not defined in this file")
    return table[key]


def _any_text(source: Mapping[str, object], name: str, at: str) -> str:
    value = source.get(name)
    if not isinstance(value, str):
        raise fields.bad(at + name, "must be a text")
    return value
