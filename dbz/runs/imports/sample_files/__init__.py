"""Files with a line or a row for each sample, read piece by piece."""
