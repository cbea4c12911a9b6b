"""Copies of clubs: found, compared, guarded against writes, and removed."""
