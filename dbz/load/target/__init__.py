"""The target of a load: where it may be, what it says of itself, and what it is made to suffer."""
