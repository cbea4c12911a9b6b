"""Watching services: what they say of themselves, rules over it, and messages that reach people once."""
