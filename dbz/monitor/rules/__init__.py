"""Rules over time: when an alert begins and ends, what is said of it, and who hears it."""
