"""Statements of the night: closings, windows, reconciliation, and what books must never say."""
