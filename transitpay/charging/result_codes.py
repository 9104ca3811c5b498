"""What each result code of the partner protocol means for a payment and for its debt.

Source: the published protocol names S, F and U and says that U is never a failure; the list of F
codes was read in client code, so a code that is not listed is final and waits for people.
"""

from __future__ import annotations

from enum import StrEnum


class Meaning(StrEnum):
    """What a code says about the payment it answers."""

    IN_DOUBT = "in_doubt"  #: the payment may or may not be made: inquire
    OF_THE_CALL = "of_the_call"  #: our call was refused; says nothing about the payment
    NO_SUCH_PAYMENT = "no_such_payment"  #: the wallet knows no such order
    TRY_LATER = "try_later"  #: final no that time or the rider can heal: arrears, tried again
    TRY_ANEW = "try_anew"  #: final no of this order only: a new attempt is due
    GIVE_UP = "give_up"  #: final no that is not tried again without a person


PAYMENT_IN_PROCESS = "PAYMENT_IN_PROCESS"
TRAFFIC_LIMIT = "REQUEST_TRAFFIC_EXCEED_LIMIT"
UNKNOWN_EXCEPTION = "UNKNOWN_EXCEPTION"
ORDER_IS_CLOSED = "ORDER_IS_CLOSED"
ORDER_NOT_EXIST = "ORDER_NOT_EXIST"
CANCEL_WINDOW_EXCEED = "CANCEL_WINDOW_EXCEED"
REPEAT_REQ_INCONSISTENT = "REPEAT_REQ_INCONSISTENT"
USER_BALANCE_NOT_ENOUGH = "USER_BALANCE_NOT_ENOUGH"
PROCESS_FAIL = "PROCESS_FAIL"
SUCCESS = "SUCCESS"

#: Code -> meaning, for the codes known in the protocol.
MEANING: dict[str, Meaning] = {
    PAYMENT_IN_PROCESS: Meaning.IN_DOUBT,
    TRAFFIC_LIMIT: Meaning.IN_DOUBT,
    UNKNOWN_EXCEPTION: Meaning.IN_DOUBT,
    "ACCESS_DENIED": Meaning.OF_THE_CALL,
    "INVALID_SIGNATURE": Meaning.OF_THE_CALL,
    "KEY_NOT_FOUND": Meaning.OF_THE_CALL,
    "PARAM_ILLEGAL": Meaning.OF_THE_CALL,
    REPEAT_REQ_INCONSISTENT: Meaning.OF_THE_CALL,
    ORDER_NOT_EXIST: Meaning.NO_SUCH_PAYMENT,
    ORDER_IS_CLOSED: Meaning.TRY_ANEW,
    "EXPIRED_CODE": Meaning.TRY_ANEW,
    "INVALID_TOKEN": Meaning.TRY_LATER,
    "RISK_REJECT": Meaning.TRY_LATER,
    "UNAVAILABLE_PAYMENT_METHOD": Meaning.TRY_LATER,
    "USER_AMOUNT_EXCEED_LIMIT": Meaning.TRY_LATER,
    USER_BALANCE_NOT_ENOUGH: Meaning.TRY_LATER,
    "USER_KYC_NOT_QUALIFIED": Meaning.TRY_LATER,
    "USER_STATUS_ABNORMAL": Meaning.TRY_LATER,
    "CURRENCY_NOT_SUPPORT": Meaning.GIVE_UP,
    "PAYMENT_AMOUNT_EXCEED_LIMIT": Meaning.GIVE_UP,
    PROCESS_FAIL: Meaning.GIVE_UP,
    "REGULATION_RESTRICTION": Meaning.GIVE_UP,
    "USER_NOT_EXIST": Meaning.GIVE_UP,
    CANCEL_WINDOW_EXCEED: Meaning.OF_THE_CALL,
    "REFUND_AMOUNT_EXCEED": Meaning.OF_THE_CALL,
    "REFUND_WINDOW_EXCEED": Meaning.OF_THE_CALL,
}
#: Refusals that are ours or the wallet's to mend: the rider is not denied because of them.
DENIES_NOBODY = frozenset({"CURRENCY_NOT_SUPPORT", "PAYMENT_AMOUNT_EXCEED_LIMIT"}) | {
    code for code, meaning in MEANING.items() if meaning is Meaning.OF_THE_CALL
}


def meaning_of(code: str) -> Meaning:
    """The meaning of an F code; an unlisted one is final and is not tried again."""
    return MEANING.get(code, Meaning.GIVE_UP)
