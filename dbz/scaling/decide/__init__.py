"""Deciding how many tasks there should be: rules, target tracking, and the daemon that asks them."""
