"""A WebSocket client (RFC 6455) without a greenlet for each connection."""
