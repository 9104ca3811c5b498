"""Fixtures of the ride-code tests: the scheme, and a count of cryptographic operations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mot_scheme import MotScheme
from ride_code_scheme import Crypto, Scheme

from transitpay.ride_code import signing
from transitpay.ride_code.mot import signing as sm2


@pytest.fixture(scope="session")
def scheme() -> Scheme:
    return Scheme()


@pytest.fixture(scope="session")
def mot() -> MotScheme:
    return MotScheme()


@pytest.fixture(scope="module")
def crypto() -> Iterator[Crypto]:
    """Counts verifications and key loads made through the modules named ``signing``."""
    count = Crypto()
    patch = pytest.MonkeyPatch()
    for module, name in ((signing, "verify_es256"), (signing, "verify_ed25519"), (sm2, "verify")):

        def verify(*given: object, real: object = getattr(module, name)) -> object:
            count.verifications += 1
            return real(*given)  # type: ignore[operator] # the wrapped function

        patch.setattr(module, name, verify)
    for module, name in ((signing, "load_point"), (sm2, "load_key")):

        def load(data: bytes, real: object = getattr(module, name)) -> object:
            count.key_loads += 1
            return real(data)  # type: ignore[operator] # the wrapped function

        patch.setattr(module, name, load)
    yield count
    patch.undo()
