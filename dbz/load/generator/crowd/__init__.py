"""Which users there are: their classes, how many of each, and how they come and go."""
