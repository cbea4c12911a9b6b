"""Clubs on shards: the map that says where each lies, and moving them while the app keeps writing."""
