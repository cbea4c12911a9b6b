"""Durations as they are kept: histograms, series, and the log that holds them."""
