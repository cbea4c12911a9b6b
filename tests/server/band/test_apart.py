"""Services apart: auth has the links with Band and opens their tokens, band_sync synchronises with them."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil
import pytest

from tests.band.standin import CLIENT
from tests.server.band.stage import ADMIN, KEYS, Stage, link
from tests.server.band.test_sync import BAND, CLUB, SETTINGS, Syncing
from tests.server.clients import User, eventually, login

pytestmark = pytest.mark.anyio


async def test_a_club_is_linked_through_the_gateway_and_synchronised_by_a_service_of_its_own(stage: Stage) -> None:
    path = Path(stage.folder / "apart.yaml")
    path.write_text(SETTINGS)
    stage.store["clubs"].update_many({}, {"$unset": {"band": ""}})
    stage.band.calm()
    child, backend = stage.server(["--services", "apart", "--config", str(path)])
    with child:
        _only_auth_has_secrets(backend.pid)
        async with httpx.AsyncClient(base_url=backend.url, timeout=60) as http:
            tokens = await login(http, ADMIN)
            http.headers["authorization"] = f"Bearer {tokens['access_token']}"
            admin = User(http, ADMIN, tokens, None)  # type: ignore[arg-type]
            linked = await link(admin)
            assert linked.status_code == 200, linked.text
            syncing = Syncing(stage, child, backend)
            await syncing.is_right()
            shown = await admin.get("/api/band/sync")
            assert shown.headers["x-service"] == "band_sync" and shown.json()["band"] == BAND
            asked = await http.post("/api/band/sync", json={"full": True})
            assert asked.status_code in (202, 409), asked.text
            await syncing.done(syncing.newest())
            assert (await http.delete("/api/auth/band")).json() == {"ended": 1}

            async def not_linked() -> bool:
                return (await admin.get("/api/band/sync")).json()["band"] is None

            await eventually(not_linked)
            assert "dbz_foreign_collections_total{" not in (await http.get("/metrics")).text
    assert syncing.logs()[0]["club_id"] == CLUB
    for secret in (CLIENT[1], KEYS["k1"], tokens["access_token"]):
        assert secret not in backend.log.read_text()


def _only_auth_has_secrets(pid: int) -> None:
    """Not even auth shows them: what it needs to know it reads after the fork."""
    family = psutil.Process(pid).children(recursive=True)
    forked = [each for each in family if each.cmdline()[3:4] == ["dbz.server.apart.forkserver"]]
    (forkserver,) = (each for each in forked if each.parent() not in forked)
    services = forkserver.children(recursive=True)
    assert services
    for process in (forkserver, *services):
        given = process.environ()
        for secret in ("BAND_TOKEN_KEYS", "BAND_CLIENT_SECRET", "JWT_SECRET", "MESH_SECRET"):
            assert not given.get(secret)
