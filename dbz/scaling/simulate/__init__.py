"""What the rules would do with a recorded or made-up load."""
