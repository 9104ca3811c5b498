"""The gateway: what readers, wallets, operators and people reach over HTTP."""
