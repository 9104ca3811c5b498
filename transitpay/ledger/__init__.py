"""The books: accounts, entries made of two-sided postings, and one booking per business event."""
