"""One dbz at a time: of a state folder by kernel locks, of all machines by a lease."""
