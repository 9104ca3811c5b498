"""The lists of a running reader: what comes from the gateway is taken, kept, and held instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from transitpay.errors import MalformedInput, TemporarilyUnavailable
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.list_taking import ListRefusal, Refused, Taken
from transitpay.ride_code.lists.signed_list import ListKind
from transitpay.ride_code.reader import HeldLists, ListName, ReaderSettings
from transitpay.runtime.gateway_link import GatewayLink, Reply
from transitpay.runtime.list_files import ListFiles

_TIMEOUT_S = 10.0
#: A delta that does not fit what is held: the whole list is asked for.
_UNFIT = (ListRefusal.LIST_WRONG_BASE, ListRefusal.LIST_BAD_DIGEST)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of a fetch: ``changed``: another list is held now; ``refused``: one came that
    was not taken, or whose settings cannot be read."""

    changed: bool = False
    refused: bool = False


class ReaderLists:
    """The lists of one reader, in files, from one gateway.

    ``defaults`` are settings for where the config list names none.

    Raises: MalformedInput (``bad_id``), OSError.
    """

    def __init__(
        self,
        folder: Path,
        reader: str,
        roots: Mapping[int, bytes],
        link: GatewayLink,
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        self._files = ListFiles(folder, reader, roots)
        self._link, self._defaults = link, dict(defaults or {})

    @property
    def held(self) -> HeldLists:
        """The lists as a reader judges by them."""
        trust, deny, config = (self._files.held(kind) for kind in ListKind)
        return HeldLists.of(trust, deny, config)

    def settings(self) -> ReaderSettings | None:
        """The settings of the config list held; None without one.

        Raises: MalformedInput (``bad_reader_config``).
        """
        config = self._files.held(ListKind.CONFIG)
        if config is None:
            return None
        return ReaderSettings.of({**self._defaults, **config_values(config.table)})

    def fetch(self, name: ListName, at: datetime, uncertainty_s: int) -> Fetched:
        """Ask for what is newer than the list held; blocks. ``at`` is the reader's time."""
        kind = ListKind(name.value)
        held = self._files.held(kind)
        reply = self._get(name, held.head.version if held is not None else None)
        found = self._take(kind, reply, at, uncertainty_s)
        if isinstance(found, Refused) and found.reason in _UNFIT:
            found = self._take(kind, self._get(name, None), at, uncertainty_s)
        try:
            if isinstance(found, Taken) and kind is ListKind.CONFIG:
                self.settings()
        except MalformedInput:
            return Fetched(refused=True)
        return Fetched(isinstance(found, Taken), isinstance(found, Refused))

    def _get(self, name: ListName, have: int | None) -> Reply:
        query = "" if have is None else f"?have={have}"
        return self._link.call("GET", f"/v1/lists/{name}{query}", None, _TIMEOUT_S)

    def _take(
        self, kind: ListKind, reply: Reply, at: datetime, uncertainty_s: int
    ) -> Taken | Refused | None:
        """What was decided on a list that came; None where nothing new did, or no disk took it."""
        if reply.status != 200:
            return None
        try:
            found = self._files.take(kind, reply.body, at, uncertainty_s)
        except TemporarilyUnavailable:
            return None
        return found if isinstance(found, Taken | Refused) else None
