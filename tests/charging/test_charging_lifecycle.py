"""The states in code and in the database are one list."""

import importlib.resources
import re

from transitpay.charging.lifecycle import (
    ATTEMPT_EDGES,
    CHARGE_EDGES,
    HOLDING,
    AttemptState,
    ChargeState,
)
from transitpay.charging.refund import RefundState


def schema() -> str:
    return importlib.resources.files("transitpay.postgres").joinpath("schema.sql").read_text()


def test_the_database_lets_one_attempt_hold_money_in_every_holding_state() -> None:
    index = re.search(
        r"create unique index charge_attempt_holds_money .*?state in \((.*?)\)", schema(), re.S
    )
    assert index is not None
    listed = set(re.findall(r"'(\w+)'", index.group(1)))
    assert listed & set(AttemptState) == HOLDING


def test_the_database_knows_the_states_of_a_refund() -> None:
    table = re.search(r"create table refund \((.*?)\n\);", schema(), re.S)
    assert table is not None
    assert all(f"'{state}'" in table.group(1) for state in RefundState)


def test_final_states_have_no_way_out_and_every_other_has() -> None:
    assert set(AttemptState) - {before for before, _ in ATTEMPT_EDGES} == {
        AttemptState.CANCELLED,
        AttemptState.SURPLUS,
    }
    assert set(ChargeState) - {before for before, _ in CHARGE_EDGES} == {
        ChargeState.WITHDRAWN,
        ChargeState.WRITTEN_OFF,
    }
