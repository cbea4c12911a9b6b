"""Shards on a terminal."""
