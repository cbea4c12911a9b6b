"""Auth: users, clubs, sessions and tokens."""

from dbz.server.auth.service import AuthService

__all__ = ["AuthService"]
