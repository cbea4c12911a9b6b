"""Results of other tools, as measurements that budgets can judge."""
