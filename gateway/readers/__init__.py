"""Readers themselves: their keys, sealed records, heartbeats, state and alarms."""
