"""What readers write down: records, their chain, sealed batches, and the judgement after it."""
