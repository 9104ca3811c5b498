"""What the commands on published card taps ask for: the taps, and the public data beside them."""

from __future__ import annotations

from pathlib import Path

import click

from transitpay.errors import MalformedInput
from transitpay.runtime.config import Settings

_METRO_FOLDER = "shenzhen_metro"

szt_option = click.option(
    "--szt", type=click.Path(path_type=Path), required=True,
    help="Folder of published Shenzhen Tong taps: .csv or .csv.gz.",
)  # fmt: skip
data_option = click.option(
    "--data", type=click.Path(path_type=Path), envvar="TRANSITPAY_DATA",
    help="Folder of public data; by default the one that holds --szt, if it has fare tables.",
)  # fmt: skip


def data_folder(szt: Path, data: Path | None) -> Path | None:
    """The folder of public data; None: the built-in tariffs alone.

    Raises: MalformedInput (``no_data_folder``, or a setting).
    """
    if data is not None and not data.is_dir():
        raise MalformedInput("no_data_folder", f"there is no folder {data}", field="--data")
    Settings.from_environment()
    above = szt.absolute().parent
    return above if data is None and (above / _METRO_FOLDER).is_dir() else data
