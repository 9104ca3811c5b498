"""What riders, and those who help them, are shown: rides, corrections, why codes are refused."""
