"""Counters, gauges and histograms as Prometheus reads them."""

from __future__ import annotations

import pytest

from transitpay.runtime.metrics import Metrics


def test_everything_is_rendered_in_prometheus_text() -> None:
    metrics = Metrics()
    taps = metrics.counter("taps_total", "Taps by decision.")
    taps.inc(decision="accepted")
    taps.inc(2, decision='"odd"\n')
    metrics.gauge("inbox_rows", "Rows that wait.").set(3)
    wait = metrics.histogram("answer_seconds", "Time to answer.", (0.1, 1))
    for value in (0.1, 0.2, 5):
        wait.observe(value)
    assert metrics.render() == (
        "# HELP taps_total Taps by decision.\n"
        "# TYPE taps_total counter\n"
        'taps_total{decision="\\"odd\\"\\n"} 2\n'
        'taps_total{decision="accepted"} 1\n'
        "# HELP inbox_rows Rows that wait.\n"
        "# TYPE inbox_rows gauge\n"
        "inbox_rows 3\n"
        "# HELP answer_seconds Time to answer.\n"
        "# TYPE answer_seconds histogram\n"
        'answer_seconds_bucket{le="0.1"} 1\n'
        'answer_seconds_bucket{le="1"} 2\n'
        'answer_seconds_bucket{le="+Inf"} 3\n'
        "answer_seconds_sum 5.3\n"
        "answer_seconds_count 3\n"
    )
    assert taps.value(decision="accepted") == 1 and taps.value(decision="x") == 0
    assert wait.count() == 3


def test_one_name_is_one_number() -> None:
    metrics = Metrics()
    metrics.counter("taps_total", "")
    with pytest.raises(ValueError, match="counted already"):
        metrics.gauge("taps_total", "")
    with pytest.raises(ValueError, match="no metric name"):
        metrics.counter("Taps-Total", "")
