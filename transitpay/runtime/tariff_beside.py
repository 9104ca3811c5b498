"""What a tariff says of other networks and of wallets, held against those that are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transitpay.errors import MalformedInput
from transitpay.fares.document import tariff_of
from transitpay.fares.plausibility import doubts, doubts_beside
from transitpay.fares.tariff import Tariff
from transitpay.fares.term_faults import faults_beside
from transitpay.fares.terms import CARDS
from transitpay.money import Currency
from transitpay.postgres import reference
from transitpay.postgres.journeys import tariff_versions
from transitpay.postgres.pool import Connection
from transitpay.runtime.builtin import published_terms


async def refuse_unknown(conn: Connection, tariffs: Sequence[Tariff]) -> None:
    """Networks of a cap or transfer have a tariff in the same currency, wallets are known.

    Known networks: those with published terms, those stored, and these; known wallets: those
    enrolled and those that published terms name. A network keeps its currency.

    Raises: MalformedInput (``bad_tariff``) with the first problem.
    """
    published = published_terms()
    wallets = set(CARDS) | await reference.wallets(conn)
    for file in published.values():
        terms = file.likely
        wallets |= terms.wallets.union(*(it.wallets for it in terms.transfers))
        wallets |= {it.wallet for it in terms.code_discounts}
    named = {it.network for it in tariffs}
    for tariff in tariffs:
        terms = tariff.terms
        named = named.union(*(it.networks for it in terms.caps))
        named = named.union(*(it.after for it in terms.transfers))
    currencies = {name: file.currency for name, file in published.items()}
    currencies |= await _stored_currencies(conn, named - currencies.keys())
    for tariff in tariffs:
        currencies.setdefault(tariff.network, tariff.currency)
    for tariff in tariffs:
        for at, reason in faults_beside(tariff, currencies, wallets):
            where = ".".join(map(str, at))
            raise MalformedInput("bad_tariff", f"{tariff.network}: {reason}", field=where)


async def _stored_currencies(conn: Connection, networks: Iterable[str]) -> dict[str, Currency]:
    """Of those that have a stored version."""
    found: dict[str, Currency] = {}
    for network in sorted(networks):
        if (last := await _last(conn, network, None)) is not None:
            found[network] = last.currency
    return found


async def owner_of(conn: Connection, network: str) -> str | None:
    """The operator whose network it is, whatever a file says; None = nobody's yet.

    That of the last version that counts; before any is stored, that of the published terms.
    """
    known = [it for it in await tariff_versions.versions(conn, network) if it.counts_at is not None]
    if not known:
        return network if network in published_terms() else None
    key = (network, known[-1].version)
    return tariff_of((await tariff_versions.documents(conn, [key]))[key]).operator


async def unlikely(conn: Connection, tariff: Tariff) -> list[str]:
    """What a person should look at in a tariff, beside the version that it follows too."""
    former = await _last(conn, tariff.network, tariff)
    return doubts(tariff) + ([] if former is None else doubts_beside(tariff, former))


async def _last(conn: Connection, network: str, before: Tariff | None) -> Tariff | None:
    """The last stored version of a network, begun no later than another, if any; none withdrawn."""
    known = [it for it in await tariff_versions.versions(conn, network) if it.withdrawn is None]
    if before is not None:
        known = [it for it in known if it.version != before.version]
        known = [it for it in known if it.valid_from <= before.valid_from] or known
    if not known:
        return None
    key = (network, known[-1].version)
    return tariff_of((await tariff_versions.documents(conn, [key]))[key])
