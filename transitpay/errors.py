"""The four families of errors; each says whose fault it is and carries a stable code.

An outcome that the business has a name for (a refused tap, a declined charge) is a returned
value, never one of these. An exception means that the caller cannot go on.
"""

from __future__ import annotations


class TransitPayError(Exception):
    """Base of every error raised on purpose.

    ``code`` is stable and documented, ``message`` is one clear sentence, ``field`` names the
    field, line or setting at fault where there is one.
    """

    family = "error"

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class MalformedInput(TransitPayError):
    """What was sent cannot be read: the sender must change it."""

    family = "malformed_input"


class RuleViolation(TransitPayError):
    """What was sent is readable and not allowed: the sender may not do this."""

    family = "rule_violation"


class Conflict(TransitPayError):
    """The same natural key was used before with other content, or the state moved on."""

    family = "conflict"


class TemporarilyUnavailable(TransitPayError):
    """We, or something we depend on, cannot answer now: the same call may go through later."""

    family = "temporarily_unavailable"
