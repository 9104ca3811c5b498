"""Golden vectors: bytes with the answers that every implementation must give."""
