"""What a monitor's series tell of a range of time: figures, alerts, trends, changes, and what to do next."""
