"""`dbz scale`: the number of servers, by phases and rules."""
