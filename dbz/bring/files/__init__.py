"""Files of others, each read into a recording."""
