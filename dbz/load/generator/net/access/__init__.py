"""A virtual user's way to the network, where it is not this machine's own: when bytes arrive, and carrying them so."""
