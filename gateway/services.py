"""What handlers work with: one value, put together once by the composition root."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.auth import Authenticator
from gateway.database import Database
from gateway.lists.cache import ListCache
from gateway.lists.serving import ListServer
from gateway.readers.record_log import RecordLog
from gateway.readers.uploads import UploadOutcome
from gateway.taps.intake import Intake
from gateway.taps.judging import Judging
from gateway.taps.partitions import Partitions
from gateway.taps.places import PlaceCache
from gateway.wallets.partner_keys import Partners
from transitpay.clock import Clock
from transitpay.runtime.config import Settings
from transitpay.runtime.issuer_keys import IssuerKeys
from transitpay.runtime.metrics import Counter, Histogram, Metrics
from transitpay.runtime.observe import EventLog


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the gateway counts."""

    requests: Counter
    latency: Histogram
    scans: Counter

    @staticmethod
    def of(metrics: Metrics) -> Numbers:
        """The gateway's numbers, registered with ``metrics``."""
        return Numbers(
            metrics.counter("gateway_requests_total", "Requests by route and status"),
            metrics.histogram("gateway_request_seconds", "Time to the answer by route"),
            metrics.counter("gateway_scans_total", "Scans by tier, decision and what was stored"),
        )


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a handler may use; nothing of it is global."""

    settings: Settings
    clock: Clock
    database: Database
    authenticator: Authenticator
    lists: ListCache
    list_server: ListServer
    places: PlaceCache
    judging: Judging
    online: Intake
    record_log: RecordLog
    partitions: Partitions
    issuer_keys: IssuerKeys
    partners: Partners
    events: EventLog
    metrics: Metrics
    numbers: Numbers
    openapi: dict[str, object] = field(default_factory=dict)

    def count_uploads(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Count the scans of an upload."""
        found = Counted((it.word.decision if it.word else "none", it.stored) for it in outcomes)
        for (decision, stored), count in found.items():
            self.numbers.scans.inc(count, tier="batch", decision=decision, stored=stored)

    def observe_request(self, route: str, status: int, took_s: float) -> None:
        """Count a request that was answered."""
        self.numbers.requests.inc(route=route, status=str(status))
        self.numbers.latency.observe(took_s, route=route)
