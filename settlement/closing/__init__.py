"""A day is closed, netted, stated to operators and reported."""
