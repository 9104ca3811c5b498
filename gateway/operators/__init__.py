"""What operators and the house's people call, and the pages they see."""
