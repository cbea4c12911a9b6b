"""A Socket.IO client (protocol 5 over Engine.IO 4) for thousands of members in one process."""
