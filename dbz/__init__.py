"""dbz: load-test, scale and look after the backend of a real-time club app."""

__version__ = "0.1.0"
