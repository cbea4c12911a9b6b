"""Asking services, stores and queues how they are."""
