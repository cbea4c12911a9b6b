"""Requests: their URLs, header fields and bodies, and the bytes that they become."""
