"""Names the accounts of the books and says what kind each is; there are no others.

An account is a name with a currency. Names with a colon belong to one participant. A balance is
debits minus credits.
"""

from __future__ import annotations

import re
from enum import StrEnum

from transitpay.errors import MalformedInput


class AccountKind(StrEnum):
    """What an account is; CLEARING and POSITION accounts are 0 once everything is settled."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"
    CLEARING = "clearing"
    POSITION = "position"


BANK = "bank"
FX_POSITION = "fx_position"
FARE_HELD = "fare_held"
BAD_DEBT = "bad_debt"
FX_SPREAD = "income:fx_spread"
SERVICE_FEE = "income:service_fee"
WALLET_FEE = "expense:wallet_fee"
FX_RESULT = "expense:fx_result"

#: Accounts of the house, and their kinds.
HOUSE_ACCOUNTS = {
    BANK: AccountKind.ASSET,
    FX_POSITION: AccountKind.POSITION,
    FARE_HELD: AccountKind.CLEARING,
    BAD_DEBT: AccountKind.EXPENSE,
    FX_SPREAD: AccountKind.INCOME,
    SERVICE_FEE: AccountKind.INCOME,
    WALLET_FEE: AccountKind.EXPENSE,
    FX_RESULT: AccountKind.EXPENSE,
}
#: Accounts that one wallet has, and those that one operator has: all clearing.
WALLET_ACCOUNTS = ("rider_due", "wallet_receivable", "wallet_in_transit", "wallet_claim")
OPERATOR_ACCOUNTS = ("operator_payable", "payout_in_transit")
_PARTICIPANT = re.compile(r"[a-z][a-z0-9-]{1,31}")


def rider_due(wallet: str) -> str:
    """What the riders of a wallet owe and no attempt has collected."""
    return _of("rider_due", wallet)


def wallet_receivable(wallet: str) -> str:
    """What a wallet has collected and not settled."""
    return _of("wallet_receivable", wallet)


def wallet_in_transit(wallet: str) -> str:
    """What a wallet's file says it has paid and our bank has not shown."""
    return _of("wallet_in_transit", wallet)


def wallet_claim(wallet: str) -> str:
    """What a wallet gave back to riders twice and owes us."""
    return _of("wallet_claim", wallet)


def operator_payable(operator: str) -> str:
    """The fares that an operator has earned and no closed window has taken."""
    return _of("operator_payable", operator)


def payout_in_transit(operator: str) -> str:
    """What we have ordered to be paid to an operator and our bank has not shown."""
    return _of("payout_in_transit", operator)


def kind_of(account: str) -> AccountKind:
    """The kind of an account by its name.

    Raises: MalformedInput (``unknown_account``).
    """
    if account in HOUSE_ACCOUNTS:
        return HOUSE_ACCOUNTS[account]
    prefix, _, participant = account.partition(":")
    if prefix in (*WALLET_ACCOUNTS, *OPERATOR_ACCOUNTS) and _PARTICIPANT.fullmatch(participant):
        return AccountKind.CLEARING
    raise MalformedInput("unknown_account", f"{account!r} is not an account", field="account")


def _of(prefix: str, participant: str) -> str:
    name = f"{prefix}:{participant}"
    kind_of(name)
    return name
