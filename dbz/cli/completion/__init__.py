"""Completion in shells: what may stand where the cursor is, said without loading what commands load to work."""
