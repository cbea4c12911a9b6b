"""The server's stores: connections, shards, indexes, and what is in the cache when it starts."""
