"""The club's page for browsers: a small website over the same API that the app has."""

from dbz.server.web.pages import ClubPages

__all__ = ["ClubPages"]
