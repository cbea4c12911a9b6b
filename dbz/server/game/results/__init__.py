"""Results as events, and what is counted from them: player statistics and club rankings."""
