"""The tariffs by which ``transitpay fare`` answers where it is given their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transitpay.cli.tariff_reading import ANY_DAY
from transitpay.errors import MalformedInput
from transitpay.fares.tariff import TariffBook
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.tariff_files import Wish, read_tariffs
from transitpay.runtime.tariff_folder import refusal


def book_of_files(network: str, files: Sequence[Path], terms: Path | None) -> TariffBook:
    """The tariff of ``network`` that the files make, beside the small built-in ones of the others.

    A tariff of files that name no first day is in force on every day.

    Raises: as ``read_tariffs``; MalformedInput (``no_fares``, ``bad_tariff_file``,
    ``other_network``).
    """
    if not files:
        reason = "terms stand beside the files of a tariff, and none is named"
        raise MalformedInput("no_fares", reason, field="--terms")
    reading = read_tariffs(files, Wish(network=network, terms=terms, otherwise=ANY_DAY))
    if reading.problems:
        raise refusal(reading.problems)
    for tariff in reading.tariffs:
        if tariff.network != network:
            reason = f"{tariff.version} is of {tariff.network}"
            raise MalformedInput("other_network", reason, field="--tariff")
    book = builtin_book()
    others = [it for of in book.networks if of != network for it in book.versions(of)]
    return TariffBook([*others, *reading.tariffs], book.calendars.values())
