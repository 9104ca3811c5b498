"""What a rider reads at a gate, in three languages; support reads the same."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.taps.tap_models import Texts
from transitpay.ride_code.reasons import RULES, Language


def _texts(texts: Sequence[str]) -> Texts:
    by_language = dict(zip(Language, texts, strict=True))
    return Texts.model_validate({language.value: text for language, text in by_language.items()})


ACCEPTED = _texts(("請通過", "请通过", "Please pass."))
_OTHER = _texts(("請聯絡職員", "请联系工作人员", "See staff."))
_OF_REASON = {reason.value: _texts(rule.texts) for reason, rule in RULES.items()}


def refusal_text(reason: str | None) -> Texts:
    """The text of a reason; one that is none of ours (a reader's own) sends riders to staff."""
    return _OF_REASON.get(reason or "", _OTHER)
