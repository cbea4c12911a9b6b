"""What a scenario does once a run, and what its users share of that."""
