"""Command lines of curl: the words of a shell, the options of curl, and the requests that come of them."""
