"""Scaling on a terminal."""
