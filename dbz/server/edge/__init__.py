"""The gateway in front of services apart: checks who asks, bounds how much, leads each request to its service."""
