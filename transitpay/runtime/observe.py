"""What a process tells about itself: events as JSON lines on stderr.

A log line holds an event's name and ids. Ride-code text, keys and tokens never leave: a filter on
the handler, through which other libraries' lines go too, takes them out by name and by shape.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from transitpay.runtime.config import Settings

REDACTED = "[redacted]"

#: Fields whose value is never written, whatever it is. Names that end so are meant too.
_SECRET_NAMES = (
    "token",
    "secret",
    "password",
    "private_key",
    "public_key",
    "api_key",
    "device_key",
    "authorization",
    "signature",
    "code_text",
    "code_bytes",
    "qr",
    "qr_text",
    "dsn",
    "database_url",
)
#: Ride codes, PEM blocks, bearer headers, passwords in addresses, and any long opaque run.
_SECRET_SHAPES = (
    re.compile(r"TP1:\S*(?: \S+)*"),
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|$)", re.DOTALL),
    re.compile(r"(?i)\b(?:bearer|basic)\s+\S+"),
    re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"),
    re.compile(r"[A-Za-z0-9+/_=-]{40,}"),
)
#: Digests identify content and open nothing; these names may hold 64 hex digits.
_DIGEST_NAMES = ("sha256", "digest", "fingerprint")
_DIGEST = re.compile(r"[0-9a-f]{64}")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}
_LEVELS |= {"warning": logging.WARNING, "error": logging.ERROR}


class EventLog:
    """Writes events of one part of a process. Field names are ids, counts and codes."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(part)

    def debug(self, event: str, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, *, exc: BaseException | None = None, **fields: object) -> None:
        self._write(logging.ERROR, event, fields, exc)

    def _write(
        self,
        level: int,
        event: str,
        fields: Mapping[str, object],
        exc: BaseException | None = None,
    ) -> None:
        self._logger.log(level, event, extra={"fields": dict(fields)}, exc_info=exc)


def configure_logging(settings: Settings, service: str, stream: TextIO | None = None) -> None:
    """Send every log line of this process to stderr; called once, by the composition root."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(SecretsFilter())
    as_json = settings.log_format == "json"
    handler.setFormatter(JsonLines(service) if as_json else TextLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(_LEVELS[settings.log_level])


class SecretsFilter(logging.Filter):
    """Takes secrets out of a record before anything formats it; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _clean_text(record.getMessage()), None
        fields = getattr(record, "fields", None)
        if fields:
            record.__dict__["fields"] = {name: clean(name, v) for name, v in fields.items()}
        if record.exc_info and record.exc_info[1] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_text, record.exc_info = _clean_text(text), None
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, service, part, event, then the event's fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "part": record.name,
            "event": record.getMessage(),
        }
        line.update(getattr(record, "fields", None) or {})
        if record.exc_text:
            line["trace"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """For people: time, level, part, event, name=value."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, object] = getattr(record, "fields", None) or {}
        words = "".join(f" {name}={value}" for name, value in fields.items())
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        line = f"{at} {record.levelname:<7} {record.name}: {record.getMessage()}{words}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


def clean(name: str, value: object) -> object:
    """``value`` as it may be logged under ``name``."""
    lowered = name.lower()
    if any(lowered == s or lowered.endswith(f"_{s}") for s in _SECRET_NAMES):
        return REDACTED
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(name, inner) for inner in value]
    text = str(value)
    if lowered.endswith(_DIGEST_NAMES) and _DIGEST.fullmatch(text):
        return text
    return _clean_text(text)


def _clean_text(text: str) -> str:
    for shape in _SECRET_SHAPES:
        text = shape.sub(REDACTED, text)
    return text
