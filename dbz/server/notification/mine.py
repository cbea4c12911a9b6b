"""What a member says of himself: his devices and what he wants to hear."""

from __future__ import annotations

from typing import Any

from dbz.server.core import Core
from dbz.server.http import Call, Reply, Route
from dbz.server.http.errors import not_found
from dbz.server.http.schemas import MOMENT, STRING, TEXT_OR_NULL, items, record
from dbz.server.notification.devices import Devices, NewDevice, shown
from dbz.server.notification.preferences import NewPreferences, PreferenceStore

_DEVICE = record(
    id=STRING,
    platform=STRING,
    app_version=STRING,
    time_zone=TEXT_OR_NULL,
    token=STRING,
    seen_at=MOMENT,
    refused=TEXT_OR_NULL,
)
_OBJECT: dict[str, Any] = {"type": "object"}
_NULLABLE: dict[str, Any] = {"type": ["object", "null"]}
_PREFERENCES = record(
    time_zone=TEXT_OR_NULL, language=TEXT_OR_NULL, quiet_hours=_NULLABLE, kinds=_OBJECT, in_force=_OBJECT
)


class MyNotifications:
    """Routes below `/api/me`."""

    def __init__(self, core: Core) -> None:
        self.devices = Devices(core)
        self.preferences = PreferenceStore(core)
        devices, preferences = "/api/me/devices", "/api/me/notification-preferences"
        told = {200: _PREFERENCES}
        self.routes = (
            Route("GET", devices, self.list_devices, "My devices", answers={200: items(_DEVICE)}, cacheable=False),
            Route("POST", devices, self.register, "Register a device", body=NewDevice, answers={201: _DEVICE}),
            Route("DELETE", f"{devices}/{{device_id}}", self.unregister, "Forget a device", answers={200: _OBJECT}),
            Route("GET", preferences, self.show, "What I want to hear", answers=told, cacheable=False),
            Route("PUT", preferences, self.change, "Say what I want to hear", body=NewPreferences, answers=told),
        )

    async def list_devices(self, call: Call) -> Reply:
        """GET /api/me/devices."""
        return Reply({"items": [shown(each) for each in await self.devices.of(call.reader.user_id)]})

    async def register(self, call: Call) -> Reply:
        """POST /api/me/devices: 201 also for one that is known; its token is this user's from now on."""
        device: NewDevice = await call.body()
        reader = call.reader
        row = await self.devices.register(reader.user_id, reader.club_id, device)
        if device.time_zone is not None:
            await self.preferences.seen_in(reader.club_id, reader.user_id, device.time_zone)
        return Reply(shown(row), 201)

    async def unregister(self, call: Call) -> Reply:
        """DELETE /api/me/devices/{device_id}."""
        if not await self.devices.unregister(call.reader.user_id, call.path["device_id"]):
            raise not_found("device")
        return Reply({})

    async def show(self, call: Call) -> Reply:
        """GET /api/me/notification-preferences."""
        wishes = await self.preferences.of(call.reader.club_id, call.reader.user_id)
        return Reply(wishes.shown())

    async def change(self, call: Call) -> Reply:
        """PUT /api/me/notification-preferences."""
        given: NewPreferences = await call.body()
        await self.preferences.replace(call.reader.club_id, call.reader.user_id, given)
        return await self.show(call)
