"""OpenSSL's command line, which shares no code with ours, verifies what we sign and signs what we
verify: SM2 with SM3 under the default user id."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from mot_scheme import NOW, ROOT, MotScheme

from transitpay.ride_code.mot import curve, layout, signing
from transitpay.ride_code.mot.layout import Certificate, MotCode
from transitpay.ride_code.trust_list import TrustList
from transitpay.sandbox.mot_issuer import SandboxSm2Key

#: SubjectPublicKeyInfo of an SM2 key, up to the 33 bytes of the compressed point.
SPKI = bytes.fromhex("3039301306072a8648ce3d020106082a811ccf5501822d032200")
ID = ("-pkeyopt", "distid:1234567812345678")


@dataclass
class OpenSsl:
    """The command line, in a folder of its own."""

    folder: Path

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
        command = ["openssl", *map(str, words)]
        return subprocess.run(command, capture_output=True, timeout=60, check=False)

    def good(self, *words: str | Path) -> bytes:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def new_key(self, name: str) -> tuple[Path, bytes]:
        """(file of the private key, 33 bytes of the public one)."""
        file = self.folder / f"{name}.pem"
        self.good("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", file)
        der = self.good("ec", "-in", file, "-pubout", "-conv_form", "compressed", "-outform", "DER")
        assert der[: len(SPKI)] == SPKI
        return file, der[len(SPKI) :]

    def sign(self, key: Path, message: bytes) -> bytes:
        (self.folder / "message").write_bytes(message)
        der = self.good("pkeyutl", "-sign", "-inkey", key, "-rawin", "-digest", "sm3", *ID,
                        "-in", self.folder / "message")  # fmt: skip
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def accepts(self, public: bytes, signature: bytes, message: bytes) -> bool:
        (self.folder / "message").write_bytes(message)
        (self.folder / "public.der").write_bytes(SPKI + public)
        numbers = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        (self.folder / "signature").write_bytes(encode_dss_signature(*numbers))
        done = self.run(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", self.folder / "public.der",
            "-rawin", "-digest", "sm3", *ID, "-in", self.folder / "message",
            "-sigfile", self.folder / "signature",
        )  # fmt: skip
        return done.returncode == 0


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    found = OpenSsl(tmp_path)
    version = found.good("version").decode()
    assert re.match(r"OpenSSL [3-9]\.", version), f"this test needs OpenSSL 3, not {version}"
    return found


def test_openssl_verifies_every_signature_of_our_codes(mot: MotScheme, openssl: OpenSsl) -> None:
    for extension in (b"", b"\x00" * 32):
        data = mot.data(extension=extension)
        code = layout.parse(data)
        signed = (
            (mot.root, code.certificate.signature, data[3:120][layout.ROOT_SIGNED]),
            (mot.issuer_key, code.issuer_signature, data[code.issuer_signed]),
            (mot.user, code.device_signature, data[:-65]),
        )
        for key, signature, message in signed:
            assert openssl.accepts(key.public.data, signature, message)
            assert not openssl.accepts(key.public.data, signature, message + b"\x00")


def test_we_accept_a_code_whose_keys_and_signatures_are_openssls(
    mot: MotScheme, openssl: OpenSsl
) -> None:
    root_file, root = openssl.new_key("root")
    issuer_file, issuer = openssl.new_key("issuer")
    user_file, user = openssl.new_key("user")
    issuer_id, serial = b"\x01\x05\x58\x40", b"\x00\x00\x09"
    certificate = Certificate(ROOT, issuer_id, (2030, 1), serial, issuer, bytes(64))
    signed = layout.encode_certificate_unsigned(certificate)[layout.ROOT_SIGNED]
    certificate = replace(certificate, signature=openssl.sign(root_file, signed))
    it, _ = mot.issuer().authorise(user, NOW + 600)
    authorised = openssl.sign(issuer_file, layout.encode_authorisation(it))
    code = MotCode(certificate, it, authorised, NOW, bytes(64))
    drawn = openssl.sign(user_file, layout.encode_unsigned(code))
    data = layout.encode(replace(code, device_signature=drawn))
    trust = TrustList.of(1, [mot.record(public_key=root)])
    assert mot.reason(data, trust=trust) == "accepted"
    assert mot.reason(data) == "bad_issuer_signature"


def test_we_and_openssl_agree_on_signatures_good_and_bad(openssl: OpenSsl) -> None:
    file, public = openssl.new_key("signer")
    key = signing.load_key(public)
    assert key is not None
    n = curve.ORDER
    for number in range(8):
        message = bytes([number]) * (31 * number)
        good = openssl.sign(file, message)
        r, s = int.from_bytes(good[:32], "big"), int.from_bytes(good[32:], "big")
        twins = [(r, s), (r, n - s), (s, r), (r, (s + 1) % n), (n - r, s), (r ^ 1, s), (r, n - r)]
        pairs = [r.to_bytes(32, "big") + s.to_bytes(32, "big") for r, s in twins]
        ours = [signing.verify(key, pair, message) for pair in pairs]
        assert ours == [openssl.accepts(public, pair, message) for pair in pairs]
        assert ours == [True] + [False] * (len(pairs) - 1)


def test_our_keys_are_openssls_keys(openssl: OpenSsl) -> None:
    for label in ("a", "b", "c"):
        ours = SandboxSm2Key.named(label)
        message = label.encode() * 100
        assert openssl.accepts(ours.public.data, ours.sign(message), message)
