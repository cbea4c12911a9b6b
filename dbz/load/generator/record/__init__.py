"""What a generator process writes down: samples, errors, its own health, and where they go."""
