"""Remembers which issuer signatures were found valid, so that a rider's next code costs half.

The whole of what an entry means: *this* issuer key signed *exactly these* bytes with *exactly
this* signature. Beside it stands the key that those same bytes spell, already loaded: of a device,
or in the second format of a user or an issuer. It says nothing of key status, times, deny list or
rights, which are checked at every scan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from transitpay.ride_code.mot.signing import Sm2Key
from transitpay.ride_code.signing import DevicePublicKey

_K = TypeVar("_K")


@dataclass(slots=True)
class SignatureCache:
    """A bounded memory of valid issuer signatures, of those that were asked for last.

    One thread uses it; nothing is locked. Keys of the second format are larger (about 2 kB), so
    there are at most a quarter of ``limit`` of them.
    """

    limit: int = 4096
    _known: _Generations[DevicePublicKey] = field(init=False)
    _sm2: _Generations[Sm2Key] = field(init=False)

    def __post_init__(self) -> None:
        self._known = _Generations(self.limit)
        self._sm2 = _Generations(max(self.limit // 4, 2))

    def __len__(self) -> int:
        return len(self._known) + len(self._sm2)

    def device_key(self, key_label: bytes, signed: bytes) -> DevicePublicKey | None:
        """The device key of ``signed`` (offsets 0-128) if this issuer key is known to have
        signed it; ``key_label`` is the issuer key's algorithm and public key."""
        return self._known.get(key_label + signed)

    def remember(self, key_label: bytes, signed: bytes, device_key: DevicePublicKey) -> None:
        """Note that the issuer signature in ``signed`` was verified with this key just now."""
        self._known.keep(key_label + signed, device_key)

    def sm2_key(self, key_label: bytes, signed: bytes) -> Sm2Key | None:
        """The key that ``signed`` spells, a certificate or an authorisation with its signature,
        if this SM2 key is known to have signed it."""
        return self._sm2.get(key_label + signed)

    def remember_sm2(self, key_label: bytes, signed: bytes, key: Sm2Key) -> None:
        """Note that the signature in ``signed`` was verified with this SM2 key just now."""
        self._sm2.keep(key_label + signed, key)


class _Generations(Generic[_K]):
    """At most ``limit`` entries in two halves: what is asked for moves to the young one; when that
    is full it becomes the old one, and what was old is forgotten. Each step costs the same."""

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int) -> None:
        assert limit > 1
        self._half = limit // 2
        self._young: dict[bytes, _K] = {}
        self._old: dict[bytes, _K] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, entry: bytes) -> _K | None:
        found = self._young.get(entry)
        if found is None and self._old and (found := self._old.pop(entry, None)) is not None:
            self.keep(entry, found)
        return found

    def keep(self, entry: bytes, key: _K) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[entry] = key
