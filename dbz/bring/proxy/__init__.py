"""A recording proxy on this machine: what browsers and apps exchange with a server, kept as HAR."""
