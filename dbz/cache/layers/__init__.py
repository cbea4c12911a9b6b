"""The layers themselves: the in-process map, Redis behind it, and what keeps both in step."""
