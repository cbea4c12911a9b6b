"""What speaks against a run, or against its figures."""
