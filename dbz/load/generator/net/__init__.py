"""Sockets of virtual users: opening them, using them, where they may lead, and what can go wrong."""
