"""What wallets call: riders, authorisations, issuer keys, payment notifications."""
