"""Whether the settings say all that Band needs, before a process serves."""

from __future__ import annotations

from dbz.errors import UsageError
from dbz.server.settings import Settings


def check_band(settings: Settings) -> None:
    """`UsageError` when there is a URL of Band, but not everything else; all that is missing is named.

    Of services apart only auth needs it.
    """
    if not settings.band.url or settings.mesh.service not in ("", "auth"):
        return
    needed = {
        "BAND_CLIENT_ID": settings.band.client_id,
        "BAND_REDIRECT_URI": settings.band.redirect_uri,
        "BAND_CLIENT_SECRET": settings.band_client_secret,
        "BAND_TOKEN_KEYS": settings.band_token_keys,
    }
    missing = [variable for variable, value in needed.items() if not value]
    if missing:
        raise UsageError(
            f"the server shall use Band, but the environment lacks {', '.join(missing)}",
            hint="set them, or leave out BAND_URL; docs/band.md says what they are",
            code="E010",
        )
