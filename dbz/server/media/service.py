"""Routes of pictures."""

from __future__ import annotations

import asyncio
import re

from pymongo import ASCENDING, IndexModel

from dbz.server.core import Core
from dbz.server.http import Call, Raw, Reply, Route
from dbz.server.http.errors import not_found, rate_limited
from dbz.server.http.reply import matches
from dbz.server.http.schemas import MEDIA
from dbz.server.media.demo import demo_picture, kind_of
from dbz.server.media.flight import made_once
from dbz.server.media.imaging import master_of, render
from dbz.server.media.store import COLLECTION, MediaStore, club_of
from dbz.server.media.uploads import FORM, file_of
from dbz.server.media.variants import Format, MediaQuery, Variant, variant_of
from dbz.server.media.workers import ImageWorkers
from dbz.server.pacing.limits import RateLimits
from dbz.server.seams import EventHandler, Indexes

_MEDIA_ID = re.compile(r"[A-Za-z0-9._-]{1,100}").fullmatch
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
_BY_ACCEPT = (b"vary", b"accept")
_RENDERING = "r1"
"""Part of every tag: raised when the same question gets other bytes than before."""
_UPLOADS = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "application/octet-stream", FORM)
_ACTION = "upload"

INDEXES = (Indexes(COLLECTION, (IndexModel([("club_id", ASCENDING)]),)),)


class MediaService:
    """Pictures of clubs, and demo pictures for whoever has none."""

    name = "media"
    indexes = INDEXES

    def __init__(self, core: Core) -> None:
        self._core = core
        self._settings = core.settings.media
        self._store = MediaStore(core)
        self._workers = ImageWorkers(self._settings.threads, self._settings.queue)
        self._decoding = asyncio.Semaphore(1)  # an upload of many pixels takes hundreds of megabytes for a moment
        self._limits = RateLimits(core.redis, {_ACTION: self._settings.upload_rate})
        self.events: dict[str, EventHandler] = {}
        self.routes = (
            Route(
                "POST",
                "/api/media",
                self.upload,
                "Upload a picture",
                uploads=_UPLOADS,
                answers={201: MEDIA},
                refusals=(415, 429),
            ),
            Route(
                "GET",
                "/media/{media_id}",
                self.show,
                "A picture, resized, in the format that Accept likes best",
                query=MediaQuery,
                public=True,
                answers={200: None},
                media_types=tuple(one.media_type for one in Format),
            ),
        )

    async def start(self) -> None:
        """Nothing runs in the background."""

    async def stop(self) -> None:
        """Take no more work."""
        self._workers.stop()

    async def has(self, club_id: str, media_id: str) -> bool:
        """Whether the club has this picture."""
        return await self._store.has(club_id, media_id)

    async def upload(self, call: Call) -> Reply:
        """POST /api/media: a picture for the reader's club."""
        reader, settings = call.reader, self._settings
        if not await self._limits.allows(_ACTION, reader.user_id):
            raise rate_limited("too many uploads", int(settings.upload_rate.window_s))
        body = await call.read(settings.max_upload_bytes, settings.upload_timeout_s)
        file = file_of(call.headers.get(b"content-type", b""), body)
        async with self._decoding:
            master = await self._workers.run(master_of, file, settings.max_pixels)
        media_id = await self._store.save(reader.club_id, reader.user_id, master)
        url = f"/media/{media_id}"
        shown = {"id": media_id, "url": url, "width": master.width_px, "height": master.height_px}
        return Reply({**shown, "bytes": len(master.body)}, 201, ((b"location", url.encode()),))

    async def show(self, call: Call) -> Raw:
        """GET /media/{media_id}; the same for every reader with the same Accept, and for ever."""
        media_id, query, headers = call.path["media_id"], call.query, call.headers
        if not _MEDIA_ID(media_id):
            raise not_found("picture")
        variant = variant_of(query.w, query.q, headers.get(b"accept", b""))
        tag = f'"{media_id}:{variant}:{_RENDERING}"'.encode()
        # Who names this tag has had the picture, which never changes: there is nothing to look up.
        held = headers.get(b"if-none-match", b"*")
        body = b"" if held != b"*" and matches(held, tag) else await self._picture(media_id, variant)
        return Raw(body, variant.format.media_type.encode(), ((b"etag", tag), _FOR_EVER, _BY_ACCEPT))

    async def _picture(self, media_id: str, variant: Variant) -> bytes:
        """The file of a variant, from the cache or made; refuses with 404."""
        own = club_of(media_id)
        key = f"media:{media_id if own else kind_of(media_id)}:{variant}"

        async def make() -> bytes | None:
            master = await self._store.body(media_id) if own else await self._demo(media_id)
            return None if master is None else await self._workers.run(render, master, variant)

        ttl_s = self._core.settings.cache.media_ttl_s
        body: bytes | None = await self._core.cache.get(key, lambda: made_once(self._core, key, make), ttl_s)
        if body is None:
            raise not_found("picture")
        return body

    async def _demo(self, media_id: str) -> bytes:
        return (await self._workers.run(demo_picture, kind_of(media_id))).body
