"""Statements of lists, keys and authorisations: whom readers trust, and whom they deny."""
