"""A zipped GTFS feed as files by name, with a bound on what is unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection, Mapping

from transitpay.fares.tariff_files.problem import Problem, SourceFile

#: The most bytes that are unpacked of one file, and of all that are read.
MOST_BYTES = 64 * 2**20
#: What zipfile raises of an archive it cannot read; NotImplementedError: an unknown compression.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
)


def unpack(
    archive: SourceFile, names: Collection[str], problems: list[Problem]
) -> Mapping[str, SourceFile]:
    """The files of the archive that are named; the others are not unpacked."""
    found: dict[str, SourceFile] = {}
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
            for entry in packed.infolist():
                if entry.filename not in names:
                    continue
                name = f"{archive.name}/{entry.filename}"
                if entry.filename in found:
                    problems.append(Problem(name, None, "zip", "twice in the archive"))
                    continue
                with packed.open(entry) as content:
                    unpacked = content.read(left + 1)  # what the header says of it is not trusted
                if len(unpacked) > left:
                    reason = f"more than {MOST_BYTES} bytes unpacked"
                    problems.append(Problem(name, None, "zip", reason))
                    return found
                left -= len(unpacked)
                found[entry.filename] = SourceFile(name, unpacked)
    except _BROKEN as error:
        problems.append(Problem(archive.name, None, "zip", f"cannot be read: {error}"))
        return found
    if not found and not problems:
        reason = "no file of a feed at its top level"
        problems.append(Problem(archive.name, None, "zip", reason))
    return found
