"""Sums postings to balances per account and currency; a balance is debits minus credits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transitpay.ledger.accounts import AccountKind, kind_of
from transitpay.ledger.journal import Entry
from transitpay.money import Currency, Money

#: (account, currency) -> debits minus credits.
Balances = Mapping[tuple[str, Currency], Money]


def balances(entries: Iterable[Entry]) -> dict[tuple[str, Currency], Money]:
    """The balance of every account that the entries touch, zeros included."""
    totals: dict[tuple[str, Currency], int] = {}
    for entry in entries:
        for posting in entry.postings:
            unit, minor = posting.amount.currency, posting.amount.minor
            totals[posting.debit, unit] = totals.get((posting.debit, unit), 0) + minor
            totals[posting.credit, unit] = totals.get((posting.credit, unit), 0) - minor
    return {key: Money(minor, key[1]) for key, minor in totals.items()}


def is_balanced(held: Balances) -> bool:
    """True when the balances of each currency sum to zero."""
    sums: dict[Currency, int] = {}
    for (_, unit), amount in held.items():
        sums[unit] = sums.get(unit, 0) + amount.minor
    return not any(sums.values())


def unsettled(held: Balances) -> dict[tuple[str, Currency], Money]:
    """The clearing and position accounts that are not at zero; empty = everything is settled."""
    waiting = (AccountKind.CLEARING, AccountKind.POSITION)
    return {
        key: amount for key, amount in held.items() if amount.minor and kind_of(key[0]) in waiting
    }
