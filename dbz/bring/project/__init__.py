"""A small project of one's own: scenario, profile, budgets and the file that runs them in CI."""
