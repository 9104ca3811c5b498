"""The published terms in the package, and the small networks that need no other file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from transitpay.fares import builtin
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.terms import Terms
from transitpay.fares.terms_file import FareFacts, TermsFile, read_terms_file
from transitpay.runtime.calendars import known_calendars


def published_terms() -> Mapping[str, TermsFile]:
    """What the operators publish in prose, by network."""
    folder = files("transitpay") / "fares" / "published_terms"
    found: dict[str, TermsFile] = {}
    for path in sorted(folder.iterdir(), key=lambda it: it.name):
        read = read_terms_file(SourceFile(path.name, path.read_bytes()))
        assert read.file is not None, [str(problem) for problem in read.problems]
        found[read.file.network] = read.file
    return found


def published(network: str, facts: FareFacts) -> Terms:
    """The published terms of a network beside fares of which these are the facts."""
    made = published_terms()[network].terms(facts)
    assert isinstance(made, Terms), made
    return made


def builtin_tariffs() -> tuple[Tariff, ...]:
    """One version for each of the small networks."""
    return builtin.builtin_tariffs(published_terms())


def builtin_book() -> TariffBook:
    """The tariffs that are there without any file of an operator."""
    return TariffBook(builtin_tariffs(), known_calendars())
