"""Small values that services exchange."""
