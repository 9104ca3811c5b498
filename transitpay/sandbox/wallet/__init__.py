"""A wallet partner for the sandbox: its own HTTP server, accounts, faults and files."""
