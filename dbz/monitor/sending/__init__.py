"""Bringing messages to people: channels, and the outbox that loses none."""
