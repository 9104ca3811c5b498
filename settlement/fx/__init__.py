"""Rates are fetched, guarded and published minute by minute."""
