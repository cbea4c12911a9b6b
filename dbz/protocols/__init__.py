"""Protocols that several rooms read and write: what their messages mean, without sockets and without an event loop."""
