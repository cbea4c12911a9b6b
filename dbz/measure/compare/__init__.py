"""Runs against runs: what differs, how sure that is, and what could have been found."""
