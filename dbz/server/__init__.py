"""The reference server: one module a service, composed in `dbz.server.app`."""
