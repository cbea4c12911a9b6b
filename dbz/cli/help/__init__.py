"""`dbz help`: what commands share, by topic; the same texts make docs/help.md."""
