"""What phone apps do that a server sees: where people go, lists by windows, debounced typing, images by screens."""
