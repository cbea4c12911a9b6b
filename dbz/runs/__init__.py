"""A run on disk: writing it as it happens, reading it back, and computing everything else from it."""
