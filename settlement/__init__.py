"""Settlement: clears taps into journeys and money, and closes, nets and reconciles each day."""
