"""Makes the files that we write for a closed day: operators' and wallets' statements, payouts.

Pure: window lines and net positions in, file texts out. The same day gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from settlement.closing.csv_text import Cell, csv_text, major
from settlement.closing.netting import HOUSE, NetPosition
from transitpay.ledger.window_sums import WindowLine
from transitpay.money import Money, currency

_LINES = ("record", "item", "kind", "day", "reference", "currency", "amount")
_PAYOUTS = ("batch", "operator", "currency", "amount", "action")


@dataclass(frozen=True, slots=True)
class StatementText:
    """One file for one participant."""

    participant: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Payout:
    """What is ordered for an operator's window. ``id`` derives from the window: twice is once.

    Below zero the operator owes: nothing is paid, and nothing is set off without people.
    """

    id: str
    operator: str
    amount: Money

    @property
    def action(self) -> str:
        return "PAY" if self.amount.minor > 0 else "NONE" if not self.amount.minor else "COLLECT"


def payouts(positions: Sequence[NetPosition], operators: set[str], day: date) -> list[Payout]:
    """The payouts of a day, one an operator and currency, in a fixed order."""
    return [
        Payout(
            f"{day:%Y%m%d}-{p.participant}-{p.currency}",
            p.participant,
            Money(p.amount_minor, currency(p.currency)),
        )
        for p in positions
        if p.participant in operators
    ]


def payout_file(ordered: Sequence[Payout], day: date) -> StatementText:
    """The house's list of payouts."""
    rows = [(p.id, p.operator, p.amount.currency.code, p.amount.major(), p.action) for p in ordered]
    text = csv_text(_PAYOUTS, rows)
    return StatementText("house", f"payouts_{day:%Y%m%d}.csv", text.encode())


def statement(
    participant: str, day: date, lines: Sequence[WindowLine], positions: Sequence[NetPosition]
) -> StatementText:
    """One participant's window: its items, then the parts and the net of each currency.

    For an operator the net is what it is paid; for a wallet it is below zero: what we expect it
    to pay, its fees by the agreement taken off.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            "ITEM",
            line.item,
            line.item_kind,
            line.day.isoformat(),
            line.ref,
            line.currency,
            major(line.amount_minor, line.currency),
        )
        for line in lines
    ]
    for p in positions:
        if p.participant != participant:
            continue
        for part, minor in sorted(p.detail.items()):
            rows.append(
                ("SUM", part, "", day.isoformat(), "", p.currency, major(minor, p.currency))
            )
        net = major(p.amount_minor, p.currency)
        rows.append(("NET", str(len(lines)), "", day.isoformat(), "", p.currency, net))
    name = f"{participant}_statement_{day:%Y%m%d}.csv"
    return StatementText(participant, name, csv_text(_LINES, rows).encode())


def house_file(positions: Sequence[NetPosition], day: date) -> StatementText:
    """The house's own position: currency, fees, spread, and what riders still owe."""
    rows = [
        (p.participant.removeprefix(HOUSE), p.currency, major(p.amount_minor, p.currency))
        for p in positions
        if p.participant.startswith(HOUSE)
    ]
    text = csv_text(("part", "currency", "amount"), rows)
    return StatementText("house", f"house_{day:%Y%m%d}.csv", text.encode())
