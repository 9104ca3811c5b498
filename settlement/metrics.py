"""The numbers that settlement shows about itself."""

from __future__ import annotations

from transitpay.runtime.metrics import Metrics


class SettlementMetrics:
    """All numbers of the service, made once by its composition root."""

    def __init__(self) -> None:
        self.all = Metrics()
        add, level = self.all.counter, self.all.gauge
        self.taps = add("settlement_taps_read_total", "Open taps that were read, with repeats.")
        self.journeys = add("settlement_journeys_total", "Journeys cleared, by network and state.")
        self.corrections = add(
            "settlement_journeys_ended_total", "Journeys that were corrected, by why."
        )
        self.charges = add("settlement_charges_total", "Charges made, by wallet and held or due.")
        self.aside = add("settlement_taps_set_aside_total", "Taps set aside, by reason.")
        self.answers = add("settlement_answers_total", "Evidence weighed, by wallet and effect.")
        self.unknowns = add("settlement_unknown_answers_total", "Unknown answers, by wallet.")
        self.rates = add("settlement_rates_published_total", "Minutes published, rate or gap.")
        self.refused = add("settlement_rates_refused_total", "Observations refused, by reason.")
        self.failures = add("settlement_worker_failures_total", "Passes that failed, by worker.")
        self.clearing_lag = level(
            "settlement_clearing_lag_seconds", "Business seconds that the oldest due rider waits."
        )
        self.refund_doubt = level(
            "settlement_refund_doubt_seconds",
            "Business seconds that a wallet's oldest refund in doubt is asked for, by wallet.",
        )
        self.rate_lead = level(
            "settlement_rate_lead_seconds", "Business seconds by which the rate log is ahead."
        )
