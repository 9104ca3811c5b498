"""Statements of taps, readers and stations: what gates told, and what they are told."""
