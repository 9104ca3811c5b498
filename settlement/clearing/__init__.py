"""Taps become journeys, fares and bookings, and are corrected when what is known changes."""
