"""The list keys of this machine: ``<home>/keys/list-<id>.pem`` beside ``list-<id>.cert``.

They are looked for again at each round, so a new key is taken up, and an old one laid down, without
a restart.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from transitpay.errors import MalformedInput
from transitpay.ride_code.keys import load_device_pem, public_bytes
from transitpay.ride_code.lists.list_signing import ListSigner
from transitpay.ride_code.lists.signed_list import ListCertificate, ListKind


class ListKeys:
    """The keys of a folder as they were at the last ``look``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[tuple[Path, int, int], ListSigner | None] = {}
        self._here: list[ListSigner] = []
        self.look()

    def look(self) -> None:
        """See which keys are in the folder now."""
        files = sorted(self._folder.glob("list-*.cert"))
        self._here = [it for file in files if (it := self._signer(file)) is not None]

    def signer(self, kind: ListKind, at: datetime) -> ListSigner | None:
        """The newest list key here whose certificate lets it sign this kind now."""
        usable = [
            signer
            for signer in self._here
            if signer.certificate.may_sign(kind)
            and signer.certificate.not_before <= at < signer.certificate.not_after
        ]
        return max(usable, key=lambda signer: signer.certificate.key_id, default=None)

    def _signer(self, certificate_file: Path) -> ListSigner | None:
        """The key of a certificate; None where the two do not belong together or are not whole."""
        key_file = certificate_file.with_suffix(".pem")
        try:
            stamp = (certificate_file, certificate_file.stat().st_mtime_ns, key_file.stat().st_size)
            if stamp not in self._loaded:
                self._loaded[stamp] = None
                certificate = ListCertificate.parse(certificate_file.read_bytes())
                key = load_device_pem(key_file.read_bytes())
                if public_bytes(key) == certificate.public_key:
                    self._loaded[stamp] = ListSigner(key, certificate)
        except (OSError, MalformedInput):
            return None
        return self._loaded[stamp]
