"""Scenarios out of somebody else's material: recordings, API descriptions, access logs, collections, commands."""
