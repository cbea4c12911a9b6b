"""Messages from one user to others: who has yet to receive them, in this worker and in all others."""
