"""`dbz cache`: warm the cache, look into it, make parts of it stale."""
