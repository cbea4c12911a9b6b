"""Content: posts, comments, likes and read marks."""

from dbz.server.content.service import ContentService

__all__ = ["ContentService"]
