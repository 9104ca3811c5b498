"""Scans that wait for an answer: judged, decided in groups, durable before it leaves."""
