"""What a sandbox wallet is told when it starts: one folder with its settings and keys.

``wallet.json`` holds who it is and whom it talks to; ``wallet-key.pem`` is its private key,
``transitpay-key-<version>.pem`` our public keys, ``token`` its bearer token at our gateway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

from transitpay.charging.signature import KeyRing, Signer, load_private_key, load_public_key
from transitpay.errors import MalformedInput
from transitpay.sandbox.wallet.files import FileTerms


@dataclass(frozen=True, slots=True)
class WalletConfig:
    """One wallet. ``client_id`` is its own id, ``partner_id`` ours; ``plants`` None = usual plan.

    ``converts`` says that payments in another currency are debited at the wallet's own quote.
    """

    wallet: str
    home_currency: str
    layout: str
    client_id: str
    key_version: int
    partner_id: str
    gateway_url: str
    fee_rate: str
    converts: bool
    seed: int
    faults_permille: int
    plants: int | None

    def terms(self) -> FileTerms:
        """How its files are written."""
        return FileTerms(
            self.wallet,
            self.layout,
            self.partner_id,
            self.home_currency,
            Decimal(self.fee_rate),
            self.seed,
            self.plants,
        )


@dataclass(frozen=True, slots=True)
class WalletKeys:
    """With what it signs, what it believes, and how it introduces itself to our gateway."""

    signer: Signer
    partner: KeyRing
    token: str


def write_config(folder: Path, config: WalletConfig) -> None:
    """Put the settings where the wallet's process finds them."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(config), indent=1) + "\n"
    (folder / "wallet.json").write_text(text, encoding="utf-8")


def write_secrets(
    folder: Path, private_pem: bytes, partner_pems: Mapping[int, bytes], token: str
) -> None:
    """Put the wallet's key, our public keys by version, and the token there; private files."""
    folder.mkdir(parents=True, exist_ok=True)
    private = {"wallet-key.pem": private_pem, "token": token.encode()}
    for name, content in private.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    for version, pem in partner_pems.items():
        (folder / f"transitpay-key-{version}.pem").write_bytes(pem)


def read_config(folder: Path) -> WalletConfig:
    """The settings of a wallet's folder.

    Raises: MalformedInput (``bad_wallet_folder``).
    """
    try:
        values = json.loads((folder / "wallet.json").read_text(encoding="utf-8"))
        return WalletConfig(**values)
    except (OSError, ValueError, TypeError) as error:
        raise MalformedInput("bad_wallet_folder", f"{folder}: {error}") from None


def read_keys(folder: Path, config: WalletConfig) -> WalletKeys:
    """The keys of a wallet's folder.

    Raises: MalformedInput (``bad_wallet_folder``, ``bad_key``).
    """
    try:
        private = load_private_key((folder / "wallet-key.pem").read_bytes())
        partner = {
            int(path.stem.rpartition("-")[2]): load_public_key(path.read_bytes())
            for path in folder.glob("transitpay-key-*.pem")
        }
        token = (folder / "token").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise MalformedInput("bad_wallet_folder", f"{folder}: {error}") from None
    signer = Signer(config.client_id, config.key_version, private)
    return WalletKeys(signer, {config.partner_id: partner}, token)
