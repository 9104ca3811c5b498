"""Statements of journeys and fares: what the clearing reads and books, what riders are shown."""
