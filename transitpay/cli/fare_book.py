"""The tariffs by which ``transitpay fare`` answers: those of the folder, or of named files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transitpay.cli.tariff_reading import ANY_DAY
from transitpay.errors import MalformedInput
from transitpay.fares.tariff import EXCLUDED, TariffBook
from transitpay.runtime.builtin import builtin_book
from transitpay.runtime.tariff_files import Wish, read_tariffs
from transitpay.runtime.tariff_folder import load_book, refusal


def read_book(
    network: str, data: Path | None, files: Sequence[Path], terms: Path | None
) -> TariffBook:
    """The book with the tariff of ``network``: of ``files`` where there are some, else of ``data``.

    A tariff of files that name no first day is in force on every day.

    Raises: as ``load_book`` and ``read_tariffs``; MalformedInput (``bad_tariff_file``,
    ``other_network``, ``no_fares``).
    """
    if terms is not None and not files:
        reason = "terms stand beside the files of a tariff, and none is named"
        raise MalformedInput("no_fares", reason, field="--terms")
    if not files or network in EXCLUDED:
        return load_book(data, networks=[network])
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
