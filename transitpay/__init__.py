"""Cross-border ride codes: the rules shared by the gateway and the settlement service."""
