"""Exchange rates: what a rate must pass, when it takes effect, and how a fare is converted."""
