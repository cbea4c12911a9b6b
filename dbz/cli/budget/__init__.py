"""`dbz budget`: judge results of other tools, and look up what budgets can be about."""
