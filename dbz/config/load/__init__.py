"""Profiles of loads, and what stands in them."""
