"""What a series of readings does over time, where neighbours are alike: trends, changes of level, days that repeat."""
