"""The deterministic world: phones, readers, links and gateways under one seeded clock."""
