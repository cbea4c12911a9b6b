"""The sentences that all formats share."""
