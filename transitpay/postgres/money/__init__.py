"""Statements of money: rates, the books, charges and refunds, what wallets told us."""
