"""Signed lists for readers: what they hold, when they get a next version, how they are served."""
