"""How many tasks a phase needs, by what one task was measured to carry."""
