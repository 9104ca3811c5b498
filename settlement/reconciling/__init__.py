"""Wallets' files are read and matched with what we know."""
