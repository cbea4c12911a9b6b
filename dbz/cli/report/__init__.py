"""`dbz report`: look at runs again, and make their reports again."""
