"""The fields of a ride code by their names, as the command line shows them."""

from __future__ import annotations

from transitpay.destinations import DESTINATIONS, MODES
from transitpay.ride_code import layout
from transitpay.ride_code.mot import layout as mot


def fields_of(text: str) -> dict[str, object]:
    """What a code says, of either format; nothing is verified.

    Raises: MalformedInput (``unreadable_code``, ``bad_base45``, ``unknown_version``).
    """
    return _mot_fields(text) if text.startswith(mot.PREFIX) else _ride_code_fields(text)


def _ride_code_fields(text: str) -> dict[str, object]:
    data = layout.read_text(text)
    found = layout.parse(data)
    it = found.authorisation
    return {
        "hex": data.hex(),
        "key_id": it.key_id,
        "rider_id": it.rider_id,
        "serial": it.serial,
        "device_key": it.device_key.hex(),
        "not_before": it.not_before,
        "expires_at": it.expires_at,
        "life_h": it.life_h,
        "code_life_s": it.code_life_s,
        "ceiling": str(it.ceiling),
        "destinations": _names_in(it.destinations, DESTINATIONS),
        "modes": _names_in(it.modes, MODES),
        "rider_class": it.rider_class,
        "max_companions": it.max_companions,
        "quota": it.quota,
        "issuer_signature": found.issuer_signature.hex(),
        "generated_at": found.generated_at,
        "counter": found.counter,
        "destination": _names_in(1 << found.destination, DESTINATIONS)[0],
        "slot": found.slot,
        "device_signature": found.device_signature.hex(),
    }


def _mot_fields(text: str) -> dict[str, object]:
    data = mot.read_text(text)
    found = mot.parse(data)
    certificate, it = found.certificate, found.authorisation
    return {
        "hex": data.hex(),
        "version": "local" if data[0] == mot.LOCAL else "interoperable",
        "root": certificate.root,
        "root_key_id": it.key_id,
        "issuer_id": certificate.issuer_id.hex(),
        "certificate_expires": "{}-{:02}".format(*certificate.expires),
        "certificate_serial": certificate.serial.hex(),
        "issuer_key": certificate.public_key.hex(),
        "rider_id": it.rider_id,
        "account": it.account.decode("ascii"),
        "card_account": it.card_account.hex(),
        "issuing_org": it.issuing_org.hex(),
        "platform_org": it.platform_org.hex(),
        "account_type": it.account_type,
        "ceiling": str(it.ceiling),
        "user_key": it.device_key.hex(),
        "expires_at": it.expires_at,
        "code_life_s": it.code_life_s,
        "extension": it.extension.hex(),
        "issuer_signature": found.issuer_signature.hex(),
        "generated_at": found.generated_at,
        "user_signature": found.device_signature.hex(),
    }


def _names_in(bits: int, names: tuple[str, ...]) -> list[str]:
    """The names whose bits are set; a bit without a name is told by its number."""
    found = [n for n in range(bits.bit_length()) if bits >> n & 1]
    return [names[n] if n < len(names) else f"bit-{n}" for n in found]
