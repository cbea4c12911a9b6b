"""`dbz scale simulate`: what rules and other policies would have done with a load, of one service or of several."""
