"""Recorded time, run through the rules: when they would have fired, whether rightly, and which limits would do."""
