"""What a monitor keeps on disk."""
