"""What a process needs that reads or writes clubs while they move."""
