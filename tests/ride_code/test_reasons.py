"""Every reason has its rule, its texts in three languages and its place at an exit."""

from __future__ import annotations

import pytest

from transitpay.ride_code.reasons import RULES, ExitPolicy, Kind, Language, Reason, Tier


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("language", list(Language))
def test_every_reason_has_a_text_in_every_language(reason: Reason, language: Language) -> None:
    text = RULES[reason].text(language)
    assert text.strip() == text and text
    assert text.isascii() == (language is Language.EN)


def test_the_two_scripts_of_chinese_are_told_apart() -> None:
    assert not [r for r in Reason if RULES[r].texts[0] == RULES[r].texts[1]]


def test_reasons_of_state_come_after_all_reasons_of_the_code() -> None:
    kinds = [RULES[reason].kind for reason in Reason]
    assert kinds == sorted(kinds)
    assert all(RULES[r].tiers == frozenset(Tier) for r in Reason if RULES[r].kind is Kind.CODE)


def test_an_exit_refuses_only_what_proves_no_ride() -> None:
    refused = {r for r in Reason if RULES[r].at_exit is ExitPolicy.REFUSE}
    assert refused == {
        Reason.UNREADABLE, Reason.UNKNOWN_VERSION, Reason.UNKNOWN_KEY, Reason.TEST_KEY,
        Reason.KEY_NOT_YET_VALID, Reason.AUTHORISATION_NOT_YET_VALID, Reason.CODE_STALE,
        Reason.CODE_FROM_FUTURE, Reason.BAD_ISSUER_SIGNATURE, Reason.BAD_DEVICE_SIGNATURE,
        Reason.ALREADY_ANSWERED, Reason.REPLAY, Reason.PASSBACK,
    }  # fmt: skip
