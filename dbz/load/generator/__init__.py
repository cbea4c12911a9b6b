"""What lives inside a load generator process: a Locust process with gevent's patched standard library."""
