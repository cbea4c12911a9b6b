"""Series of a monitor in the forms that other programs read."""
