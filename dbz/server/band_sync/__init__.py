"""Band synchronisation: members and photos of clubs, taken over from Band bit by bit."""

from dbz.server.band_sync.service import BandSyncService

__all__ = ["BandSyncService"]
