"""Budgets: what they say, what is measured for them, and whether they hold."""
