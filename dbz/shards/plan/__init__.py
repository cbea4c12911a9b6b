"""What would move: sizes, balance, and the plan as a document."""
