"""Alerts in lines for people: where they go, where they are, what was told, and when they would have fired."""
