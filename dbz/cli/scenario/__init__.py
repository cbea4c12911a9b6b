"""`dbz import`, `dbz record` and `dbz try`: scenarios out of other files, and tried once."""
