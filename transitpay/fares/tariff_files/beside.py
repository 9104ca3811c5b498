"""The terms that stand beside the fares of a file."""

from __future__ import annotations

from transitpay.fares.tariff import FlatFares, MatrixFares
from transitpay.fares.tariff_files.problem import Problem
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import TermsFile, facts_of


def terms_beside(fares: MatrixFares | FlatFares, terms: TermsFile) -> Terms | tuple[Problem, ...]:
    """The terms, or why they cannot stand beside these fares.

    Holiday fares need a calendar: without one they would never be charged, and nobody told.
    """
    made = terms.terms(facts_of(fares, terms.currency))
    if not isinstance(made, Terms):
        return made
    if isinstance(fares, FlatFares) and fares.holiday_by_route and made.calendar is None:
        reason = "the fares have holiday fares, and the terms name no calendar"
        return (Problem(terms.name, None, "calendar", reason),)
    return made
