"""What the server says of itself: metrics, query times, logs, health."""
