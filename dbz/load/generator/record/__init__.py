"""What a generator process writes down: samples, deliveries, its own health, and where they go."""
