"""Secrets, wherever they are planted, come out nowhere."""
