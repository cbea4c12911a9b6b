"""Which providers there are, by the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

import orjson

from dbz.errors import UsageError
from dbz.extras import PUSH, need
from dbz.server.push.provider import PushProvider
from dbz.server.settings import Settings

APNS, FCM, SMTP = "apns", "fcm", "smtp"
_ACCOUNT_KEYS = ("client_email", "private_key", "project_id", "token_uri")
_DOCS = "docs/notifications.md says what they are"


def check_push(settings: Settings) -> None:
    """`UsageError` when a provider is named, but not all that it needs; `DependencyError` without its packages."""
    push = settings.push
    wanted = {
        "PUSH_APNS_URL": (push.apns_url, {
            "PUSH_APNS_TOPIC": push.apns_topic,
            "PUSH_APNS_TEAM_ID": push.apns_team_id,
            "PUSH_APNS_KEY_ID": push.apns_key_id,
            "PUSH_APNS_KEY": settings.push_apns_key,
        }),
        "PUSH_FCM_URL": (push.fcm_url, {"PUSH_FCM_CREDENTIALS": settings.push_fcm_credentials}),
        "SMTP_URL": (settings.smtp_url, {
            "MAIL_FROM": push.mail_from,
            "PUBLIC_URL": push.public_url,
            "MAIL_LINK_SECRET": settings.mail_link_secret,
        }),
    }  # fmt: skip
    for variable, (chosen, needed) in wanted.items():
        missing = [name for name, value in needed.items() if not value]
        if chosen and missing:
            raise UsageError(
                f"{variable} is set, but the environment lacks {', '.join(missing)}",
                hint=f"set them, or leave out {variable}; {_DOCS}",
                code="E010",
            )
    if any(chosen for chosen, _ in wanted.values()):
        need("push and e-mail", PUSH, "embedded")
    _check_values(settings)


def configured(settings: Settings) -> list[str]:
    """The names of the providers that are."""
    chosen = {APNS: settings.push.apns_url, FCM: settings.push.fcm_url, SMTP: settings.smtp_url}
    return [name for name, url in chosen.items() if url]


def open_providers(settings: Settings) -> dict[str, PushProvider]:
    """Those that are configured, by their names. Their packages are loaded only then."""
    push = settings.push
    providers: dict[str, PushProvider] = {}
    if push.apns_url:
        from dbz.server.push.apns import Apns

        providers[APNS] = Apns(push, settings.push_apns_key)
    if push.fcm_url:
        from dbz.server.push.fcm import Fcm

        providers[FCM] = Fcm(push, settings.push_fcm_credentials)
    if settings.smtp_url:
        from dbz.server.push.smtp import Smtp

        providers[SMTP] = Smtp(push, settings.smtp_url)
    return providers


def _check_values(settings: Settings) -> None:
    problems = []
    if settings.push.apns_url and not _is_key(settings.push_apns_key):
        problems.append("PUSH_APNS_KEY is no private key for ES256 in PEM (Apple's .p8 file)")
    if settings.push.fcm_url and not _is_account(settings.push_fcm_credentials):
        problems.append(f"PUSH_FCM_CREDENTIALS is no JSON of a service account with {', '.join(_ACCOUNT_KEYS)}")
    if settings.smtp_url and not _is_relay(settings.smtp_url):
        problems.append("SMTP_URL must be smtp://[USER:PASSWORD@]HOST[:PORT] or smtps://…")
    if problems:
        raise UsageError("; ".join(problems), hint=_DOCS, code="E002")


def _is_key(text: str) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        return False
    return isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)


def _is_account(text: str) -> bool:
    try:
        account = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(account, dict) and all(isinstance(account.get(key), str) for key in _ACCOUNT_KEYS)


def _is_relay(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
