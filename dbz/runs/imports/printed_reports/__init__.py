"""What tools print for people at the end of a run, where that is all there is of it."""
