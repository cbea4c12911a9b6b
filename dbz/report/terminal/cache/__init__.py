"""The cache on a terminal."""
