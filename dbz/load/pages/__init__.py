"""Pages in a real browser while the load runs: Chromium as a child, visits with cold caches, what each of them took."""
