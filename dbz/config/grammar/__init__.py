"""The sentences of the scaling plan: conditions, and targets that are kept."""
