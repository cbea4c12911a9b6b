"""Pictures: uploaded by members, kept with their club, and answered in the size and format that a reader asks for."""

from dbz.server.media.service import INDEXES, MediaService

__all__ = ["INDEXES", "MediaService"]
