"""Application Auto Scaling as the local cloud carries it out."""
