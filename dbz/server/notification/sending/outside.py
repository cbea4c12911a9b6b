"""All that is outside of the app, as the notification service uses it."""

from __future__ import annotations

from dbz.background import closed
from dbz.server.core import Core
from dbz.server.events import EventHub
from dbz.server.events.queue import Job
from dbz.server.notification.mine import MyNotifications
from dbz.server.notification.preferences import EMAIL, PUSH, Preferences
from dbz.server.notification.sending.channels import OutsideChannels, ToldNotification
from dbz.server.notification.sending.sender import Sender, Word
from dbz.server.push.opening import SMTP, configured, open_providers
from dbz.server.push.provider import PushProvider
from dbz.server.seams import Members


class Outside:
    """Push and e-mail. Without a provider it does nothing; connections are opened when it starts."""

    def __init__(self, core: Core, hub: EventHub, members: Members, mine: MyNotifications, words: Word) -> None:
        self._core, self._members, self._mine, self._words = core, members, mine, words
        names = configured(core.settings)
        channels = {EMAIL if name == SMTP else PUSH for name in names}
        self._channels = OutsideChannels(core, hub, mine, frozenset(channels))
        self._providers: dict[str, PushProvider] = {}
        self._sender: Sender | None = None
        hub.performers["send"] = self._send

    async def hand_on(self, told: ToldNotification, wishes: Preferences) -> None:
        """See `OutsideChannels`."""
        await self._channels.hand_on(told, wishes)

    def start(self) -> None:
        """Open the providers and look after what waits."""
        self._providers = open_providers(self._core.settings)
        own = self._mine.preferences, self._mine.devices
        self._sender = Sender(self._core, self._providers, self._members, *own, self._words)
        self._channels.start()

    async def stop(self) -> None:
        """Others go on."""
        await self._channels.stop()
        for provider in self._providers.values():
            await closed(provider.close())

    async def _send(self, job: Job) -> None:
        if self._sender is None:
            raise ConnectionError("this process is only starting")
        await self._sender.perform(job)
