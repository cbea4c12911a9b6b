"""`dbz monitor`: watch services, and tell people once when something is wrong."""
