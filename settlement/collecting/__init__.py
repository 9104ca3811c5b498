"""What riders owe is collected from wallets, and given back."""
