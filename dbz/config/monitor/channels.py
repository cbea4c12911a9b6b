"""Ways to reach people and programs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dbz.config.monitor.fields import HttpUrl
from dbz.config.source.model import Strict

LOG = "log"
"""The channel that is always there."""


class Mail(Strict):
    """A mail server, and who gets mail through it."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    sender: str = Field(alias="from")
    to: list[str] = Field(min_length=1)


class AlertChannel(Strict):
    """One way to reach people or programs."""

    slack: HttpUrl | None = None
    """An incoming webhook of Slack."""
    webhook: HttpUrl | None = None
    """A URL that gets each alert as JSON."""
    mail: Mail | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> AlertChannel:
        if sum(way is not None for way in (self.slack, self.webhook, self.mail)) != 1:
            raise ValueError("a channel has one of: slack, webhook, mail")
        return self
