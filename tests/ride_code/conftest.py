"""Fixtures of the ride-code tests: the scheme, and a count of cryptographic operations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ride_code_scheme import Crypto, Scheme

from transitpay.ride_code import signing


@pytest.fixture(scope="session")
def scheme() -> Scheme:
    return Scheme()


@pytest.fixture(scope="module")
def crypto() -> Iterator[Crypto]:
    """Counts verifications and key loads made through ``signing``."""
    count = Crypto()
    patch = pytest.MonkeyPatch()
    for name in ("verify_es256", "verify_ed25519"):

        def verify(*given: object, real: object = getattr(signing, name)) -> object:
            count.verifications += 1
            return real(*given)  # type: ignore[operator] # the wrapped function

        patch.setattr(signing, name, verify)

    def load(data: bytes, real: object = signing.load_point) -> object:
        count.key_loads += 1
        return real(data)  # type: ignore[operator] # the wrapped function

    patch.setattr(signing, "load_point", load)
    yield count
    patch.undo()
