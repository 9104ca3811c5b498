"""Real card taps sent through the real road as code taps."""
