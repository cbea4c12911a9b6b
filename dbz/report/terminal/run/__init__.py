"""A run on a terminal: while it goes on, and when it has ended."""
