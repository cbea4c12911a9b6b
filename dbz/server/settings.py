"""The server's configuration: a YAML file, then the environment, then the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from dbz.config.source.model import build
from dbz.config.source.source import YamlSource, read_yaml
from dbz.errors import ConfigError, Problem
from dbz.hosts import is_loopback


def _safe_url(address: str) -> str:
    parts = urlsplit(address)
    if address and parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("must begin with https://, or with http:// for this machine")
    return address.rstrip("/")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(_Section):
    """At most `limit` actions of one user in any `window_s` seconds."""

    limit: int = Field(ge=1)
    window_s: float = Field(gt=0)


class Http(_Section):
    """Where to listen and the limits of requests and answers.

    Servers of one `group` share the port and show their metrics together; without one the port is this server's alone.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    processes: int = Field(default=1, ge=1, le=64)
    group: str = ""
    drain_s: float = Field(default=5.0, ge=0, le=60)
    max_body_bytes: int = Field(default=1_000_000, ge=1024)
    body_timeout_s: float = Field(default=10.0, gt=0)
    compress_from_bytes: int = Field(default=1024, ge=0)
    compress_level: int = Field(default=6, ge=1, le=9)
    stream_from_bytes: int = Field(default=1_000_000, ge=1024)
    max_age_s: int = Field(default=300, ge=0)
    slow_ms: float = Field(default=1000.0, gt=0)
    allowed_origins: tuple[str, ...] = ()
    faults: bool = False

    @model_validator(mode="after")
    def _faults_stay_here(self) -> Http:
        if self.faults and not is_loopback(self.host):
            raise ValueError(f"faults are for a server that only this machine reaches, not for one at {self.host}")
        return self


class StoreSettings(_Section):
    """The document store and Redis."""

    mongo_uri: str = "mongodb://127.0.0.1:27017"
    database: str = "dbz"
    shards: str = ""
    redis_url: str = "redis://127.0.0.1:6379"
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    max_connections: int = Field(default=8, ge=1)
    max_redis_connections: int = Field(default=64, ge=8)
    slow_query_ms: float = Field(default=1000.0, gt=0)


class Auth(_Section):
    """Tokens and passwords. The secret comes from the environment (JWT_SECRET) only."""

    access_ttl_s: int = Field(default=900, ge=1)
    refresh_ttl_s: int = Field(default=14 * 86400, ge=1)
    password_rounds: int = Field(default=600_000, ge=1)
    password_threads: int = Field(default=1, ge=1, le=64)
    logins_at_once: int = Field(default=6, ge=1)
    logins_waiting: int = Field(default=2000, ge=0)
    revocation_poll_s: float = Field(default=1.0, gt=0)
    login_rate: Rate = Rate(limit=300, window_s=60)
    failed_login_rate: Rate = Rate(limit=10, window_s=60)
    sign_up_rate: Rate = Rate(limit=60, window_s=60)


class CacheSettings(_Section):
    """The two-layer cache; TTLs by what is cached."""

    warmup: str = "default"
    default_ttl_s: float = Field(default=3600.0, gt=0)
    posts_ttl_s: float = Field(default=300.0, gt=0)
    games_ttl_s: float = Field(default=120.0, gt=0)
    game_ttl_s: float = Field(default=1800.0, gt=0)
    media_ttl_s: float = Field(default=21_600.0, gt=0)
    max_entries: int = Field(default=20_000, ge=1)
    max_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    heap_limit_bytes: int = Field(default=512 * 1024 * 1024, ge=1)
    sweep_s: float = Field(default=60.0, gt=0)


class Realtime(_Section):
    """Socket.IO: connection limits, batching of chat, coalescing of scores, rates."""

    policy: Literal["tuned", "plan"] = "tuned"
    ping_interval_s: float = Field(default=25.0, gt=0)
    ping_timeout_s: float = Field(default=60.0, gt=0)
    upgrade_timeout_s: float = Field(default=10.0, gt=0)
    max_message_bytes: int = Field(default=1_000_000, ge=1024)
    max_content_chars: int = Field(default=4000, ge=1)
    tuned_window_ms: float = Field(default=20.0, gt=0)
    tuned_max_batch: int = Field(default=100, ge=1)
    plan_window_ms: float = Field(default=100.0, gt=0)
    plan_max_batch: int = Field(default=10, ge=1)
    room_queue: int = Field(default=1000, ge=1)
    outbox_queue: int = Field(default=2000, ge=1)
    history_window_ms: float = Field(default=50.0, gt=0)
    history_queue: int = Field(default=20_000, ge=1)
    score_window_ms: float = Field(default=100.0, gt=0)
    idle_s: float = Field(default=1800.0, gt=0)
    heap_limit_bytes: int = Field(default=1024 * 1024 * 1024, ge=1)
    guard_s: float = Field(default=60.0, gt=0)
    connect_timeout_s: float = Field(default=10.0, gt=0)
    max_unauthenticated: int = Field(default=1000, ge=1)
    room_join_rate: Rate = Rate(limit=60, window_s=10)
    message_rate: Rate = Rate(limit=30, window_s=60)
    game_action_rate: Rate = Rate(limit=10, window_s=10)
    typing_rate: Rate = Rate(limit=60, window_s=60)


class QueueSettings(_Section):
    """The queue between services: Redis Streams, or SQS when `sqs_queue_url` is set."""

    sqs_queue_url: str = ""
    sqs_dead_letter_url: str = ""
    max_attempts: int = Field(default=5, ge=1)
    retry_base_s: float = Field(default=0.2, gt=0)
    retry_max_s: float = Field(default=30.0, gt=0)
    claim_after_s: float = Field(default=5.0, gt=0)


class NotificationKind(_Section):
    """How a kind of notification goes out to members who have not said how they want it."""

    push: bool = True
    email: bool = False
    in_app: bool = True
    urgent: bool = False
    expires_s: float = Field(default=43_200.0, gt=0)


_HOUR_S = 3600.0


class Notifications(_Section):
    """What members are told, in which language and time zone while nothing better is known."""

    game_reminder_s: float = Field(default=1800.0, gt=0)
    game_eve_at: str = Field(default="", pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")
    time_zone: str = "UTC"
    language: Literal["en", "ko", "de"] = "en"
    kinds: dict[str, NotificationKind] = {
        "*": NotificationKind(),
        "game.starting": NotificationKind(urgent=True, expires_s=_HOUR_S),
        "game.cancelled": NotificationKind(urgent=True, email=True),
        "game.finished": NotificationKind(expires_s=24 * _HOUR_S),
        "member.joined": NotificationKind(email=True, expires_s=72 * _HOUR_S),
    }
    poll_s: float = Field(default=1.0, gt=0)
    lease_s: float = Field(default=15.0, ge=0.5)

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone of the IANA database, like Asia/Seoul") from None
        return name


class PushSettings(_Section):
    """Push and e-mail; without URLs there is none.

    Secrets come from the environment (PUSH_APNS_KEY, PUSH_FCM_CREDENTIALS, SMTP_URL, MAIL_LINK_SECRET) only.
    """

    apns_url: str = ""
    apns_topic: str = ""
    apns_team_id: str = ""
    apns_key_id: str = ""
    fcm_url: str = ""
    mail_from: str = ""
    public_url: str = ""
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    pace_s: float = Field(default=0.001, ge=0.001, le=60)
    concurrency: int = Field(default=50, ge=1)
    retry_base_s: float = Field(default=1.0, gt=0)
    retry_max_s: float = Field(default=300.0, gt=0)

    @field_validator("apns_url", "fcm_url", "public_url")
    @classmethod
    def _is_safe(cls, address: str) -> str:
        return _safe_url(address)

    @field_validator("mail_from")
    @classmethod
    def _is_sender(cls, text: str) -> str:
        if text and ("@" not in parseaddr(text)[1] or not text.isprintable()):
            raise ValueError("must be an address, like club@example.com or Club <club@example.com>")
        return text


class Media(_Section):
    """Pictures: what may be uploaded, and how many threads of each process decode and encode."""

    max_upload_bytes: int = Field(default=10_000_000, ge=1024, le=100_000_000)
    max_pixels: int = Field(default=40_000_000, ge=1_000_000, le=200_000_000)
    upload_timeout_s: float = Field(default=60.0, gt=0)
    upload_rate: Rate = Rate(limit=30, window_s=60)
    threads: int = Field(default=2, ge=1, le=64)
    queue: int = Field(default=256, ge=1)


class BandSettings(_Section):
    """The community service Band; without a `url` the server has nothing to do with it.

    Its secrets come from the environment (BAND_CLIENT_SECRET, BAND_TOKEN_KEYS) only.
    """

    url: str = ""
    auth_url: str = ""
    client_id: str = ""
    redirect_uri: str = ""
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    max_answer_bytes: int = Field(default=2_000_000, ge=1024)
    refresh_before_s: float = Field(default=300.0, ge=0)
    sync_period_s: float = Field(default=300.0, gt=0)
    full_period_s: float = Field(default=86_400.0, gt=0)
    page_limit: int = Field(default=100, ge=1, le=1000)
    pace_s: float = Field(default=0.2, ge=0.001, le=60)
    max_wait_s: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=4, ge=1)
    retry_s: float = Field(default=15.0, gt=0)
    lease_s: float = Field(default=15.0, ge=0.5)
    poll_s: float = Field(default=5.0, gt=0)
    kept_runs: int = Field(default=50, ge=2)

    @field_validator("url", "auth_url", "redirect_uri")
    @classmethod
    def _is_safe(cls, address: str) -> str:
        return _safe_url(address)


class Mesh(_Section):
    """Services apart: which of them this process is, how they call each other, and what the gateway lets through.

    `services` says of a supervisor which processes it starts, `service` of one process what it is: a service, or
    `gateway`. With neither one process is all services.
    """

    services: str = ""
    service: str = ""
    lease_s: float = Field(default=3.0, gt=0, le=60)
    connect_timeout_s: float = Field(default=1.0, gt=0)
    request_timeout_s: float = Field(default=10.0, gt=0)
    retry_share: float = Field(default=0.2, ge=0, le=1)
    breaker_failures: int = Field(default=5, ge=1)
    breaker_rest_s: float = Field(default=1.0, gt=0)
    client_rate: Rate = Rate(limit=600, window_s=10)
    anonymous_rate: Rate = Rate(limit=3000, window_s=10)


class Emf(_Section):
    """The ECS cluster and service whose open connections are written to standard output for CloudWatch; empty: none."""

    cluster: str = ""
    service: str = ""
    period_s: float = Field(default=60.0, gt=0)


class Settings(_Section):
    """Everything that can be configured; see configs/server.yaml for each setting's meaning."""

    http: Http = Http()
    stores: StoreSettings = StoreSettings()
    auth: Auth = Auth()
    cache: CacheSettings = CacheSettings()
    realtime: Realtime = Realtime()
    queue: QueueSettings = QueueSettings()
    notifications: Notifications = Notifications()
    push: PushSettings = PushSettings()
    media: Media = Media()
    band: BandSettings = BandSettings()
    mesh: Mesh = Mesh()
    emf: Emf = Emf()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    jwt_secret: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    mesh_secret: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    band_client_secret: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    band_token_keys: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    push_apns_key: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    push_fcm_credentials: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    smtp_url: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)
    mail_link_secret: SkipJsonSchema[str] = Field(default="", exclude=True, repr=False)


_ENVIRONMENT = {
    "MONGODB_URI": ("stores", "mongo_uri"),
    "REDIS_URL": ("stores", "redis_url"),
    "ALLOWED_ORIGINS": ("http", "allowed_origins"),
    "ACCESS_TTL_S": ("auth", "access_ttl_s"),
    "QUEUE_URL": ("queue", "sqs_queue_url"),
    "DEAD_LETTER_QUEUE_URL": ("queue", "sqs_dead_letter_url"),
    "BAND_URL": ("band", "url"),
    "BAND_AUTH_URL": ("band", "auth_url"),
    "BAND_CLIENT_ID": ("band", "client_id"),
    "BAND_REDIRECT_URI": ("band", "redirect_uri"),
    "PUSH_APNS_URL": ("push", "apns_url"),
    "PUSH_APNS_TOPIC": ("push", "apns_topic"),
    "PUSH_APNS_TEAM_ID": ("push", "apns_team_id"),
    "PUSH_APNS_KEY_ID": ("push", "apns_key_id"),
    "PUSH_FCM_URL": ("push", "fcm_url"),
    "MAIL_FROM": ("push", "mail_from"),
    "PUBLIC_URL": ("push", "public_url"),
}
_SECRETS = {
    "jwt_secret": "JWT_SECRET",
    "mesh_secret": "MESH_SECRET",
    "band_client_secret": "BAND_CLIENT_SECRET",
    "band_token_keys": "BAND_TOKEN_KEYS",
    "push_apns_key": "PUSH_APNS_KEY",
    "push_fcm_credentials": "PUSH_FCM_CREDENTIALS",
    "smtp_url": "SMTP_URL",
    "mail_link_secret": "MAIL_LINK_SECRET",
}


def load_settings(
    path: Path | None,
    environment: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Settings from the YAML file at `path` (defaults without one), `environment` and `overrides` by section.

    Raises `ConfigError` with every problem found.
    """
    data = _read_file(path) if path else {}
    for name, (section, key) in _ENVIRONMENT.items():
        if environment.get(name):
            value: Any = environment[name]
            data.setdefault(section, {})[key] = value.split(",") if key == "allowed_origins" else value
    for section, values in (overrides or {}).items():
        given = {key: value for key, value in values.items() if value is not None}
        if given:
            data.setdefault(section, {}).update(given)
    data.update({key: environment.get(variable, "") for key, variable in _SECRETS.items()})
    return build(Settings, YamlSource("server settings", data))


def _read_file(path: Path) -> dict[str, Any]:
    """The plain data of a settings file, whose own problems are reported with its lines."""
    try:
        source = read_yaml(path)
    except ConfigError as error:
        problems = [Problem(found.where, f"the settings cannot be read: {found.what}") for found in error.problems]
        raise ConfigError(problems) from error
    if source.data is None:  # everything in it is a comment
        return {}
    for name, section in source.data.items() if isinstance(source.data, dict) else [("", None)]:
        if not isinstance(section, dict | str):
            raise ConfigError([Problem(source.where((name,)), "the file must hold a mapping of sections")])
    misplaced = [
        Problem(source.where((key,)), f"{key} does not belong in a file", f"the variable {variable}")
        for key, variable in _SECRETS.items()
        if key in source.data
    ]
    if misplaced:
        raise ConfigError(misplaced)
    build(Settings, source)
    return dict(source.data)
