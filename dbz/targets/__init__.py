"""What a target tells of itself: standard metric names, mappings of others, and the processes behind a port."""
