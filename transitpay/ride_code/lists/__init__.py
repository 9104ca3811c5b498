"""Signed lists as bytes: tables of records, heads, deltas, and the decision to take one."""
