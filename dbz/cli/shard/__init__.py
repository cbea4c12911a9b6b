"""`dbz shard`: where clubs lie, and moving them while the app keeps writing."""
