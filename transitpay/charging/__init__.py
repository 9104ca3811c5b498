"""Collecting what riders owe: charges, their attempts, and the wire to a wallet partner."""
