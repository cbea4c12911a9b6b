"""Pure measuring: histograms, latency with failures, budgets and their verdicts. No input or output happens here."""
