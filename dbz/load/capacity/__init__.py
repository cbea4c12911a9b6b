"""The highest load at which all budgets hold: the search, its runs, and what they say."""
