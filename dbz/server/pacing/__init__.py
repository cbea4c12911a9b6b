"""Who may go on, and when: counted over all processes."""
