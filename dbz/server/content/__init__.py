"""Content: posts, comments, likes, read marks and media."""

from dbz.server.content.service import ContentService

__all__ = ["ContentService"]
