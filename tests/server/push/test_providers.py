"""Providers against the stand-in and a real SMTP server: what is sent, and what every answer means."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dbz.errors import UsageError
from dbz.server.push.opening import check_push, open_providers
from dbz.server.push.provider import (
    DeadAddressError,
    MessageRefusedError,
    ProviderAwayError,
    ProviderBusyError,
    PushMessage,
    PushProvider,
    fitting,
)
from dbz.server.settings import Settings, load_settings
from tests.push.standin import PushStandIn
from tests.server.push.postbox import Postbox
from tests.server.push.stage import MAIL

pytestmark = pytest.mark.anyio
TOKENS = {"apns": "ab" * 32, "fcm": "fcm-token:0123456789-abcdefgh", "smtp": "minji@example.com"}
PUSHES = ("apns", "fcm")
RACKET = "\N{BADMINTON RACQUET AND SHUTTLECOCK}"


@pytest.fixture(scope="module")
def settings(stand_in: PushStandIn, postbox: Postbox) -> Settings:
    """All providers."""
    return load_settings(None, {**stand_in.environment(), **MAIL, "SMTP_URL": postbox.url})


@pytest.fixture
async def providers(settings: Settings, stand_in: PushStandIn, postbox: Postbox) -> AsyncIterator[Any]:
    """Providers that have sent nothing, and others that have nothing."""
    stand_in.control(forget=True)
    postbox.mails.clear()
    postbox.refusals.clear()
    opened = open_providers(settings)
    yield opened
    for provider in opened.values():
        await provider.close()


def message(provider: str, key: str = "n1", **changed: Any) -> PushMessage:
    told = {"title": "Game tonight", "body": "Court 3", "expires_s": time.time() + 600, **changed}
    return PushMessage(key, TOKENS[provider], "game.starting", **told)


async def outcome(provider: PushProvider, sent: PushMessage) -> Exception | None:
    try:
        await provider.send(sent)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("name", PUSHES)
async def test_a_push_arrives_whole_and_twice_is_shown_once(providers: Any, stand_in: PushStandIn, name: str) -> None:
    """Text, time of expiry; a second attempt takes the place of the first on the device, another message does not."""
    sent = message(name)
    for each in (sent, sent, message(name, "n2", title=f"한국어 {RACKET}")):
        await providers[name].send(each)
    received = stand_in.received(TOKENS[name])
    assert len(received) == 3
    assert (received[0]["title"], received[0]["body"]) == ("Game tonight", "Court 3")
    assert abs(received[0]["expires_s"] - sent.expires_s) <= 2
    assert [push["title"] for push in stand_in.shown(TOKENS[name])][1:] == [f"한국어 {RACKET}"]


async def test_apns_knows_an_attempt_by_its_id(providers: Any, stand_in: PushStandIn) -> None:
    """The same UUID for the same message at the same device."""
    for _ in range(2):
        await providers["apns"].send(message("apns"))
    first, second = stand_in.received()
    assert first["id"] == second["id"] == message("apns").uuid


@pytest.mark.parametrize("name", PUSHES)
async def test_a_long_body_is_cut_to_what_providers_take(providers: Any, stand_in: PushStandIn, name: str) -> None:
    """At most 4,096 bytes, and no character is broken."""
    await providers[name].send(message(name, body=RACKET * 2000))
    (push,) = stand_in.received()
    assert push["body"].endswith("…") and len(push["body"]) > 700 and set(push["body"][:-1]) == {RACKET}


def test_a_body_that_fits_is_not_cut() -> None:
    """And one that cannot fit is left out."""
    assert fitting(lambda body: {"b": body}, "x" * 90, 100) == b'{"b":"' + b"x" * 90 + b'"}'
    for size in range(91, 140):
        cut = fitting(lambda body: {"b": body}, '"' * size, 100)
        assert len(cut) <= 100
    assert fitting(lambda body: {"title": "t" * 200, "b": body}, "x", 100).endswith(b'"b":""}')


@pytest.mark.parametrize(
    ("name", "fault", "wanted", "reason"),
    [
        ("apns", {"kind": "busy", "seconds": 7}, ProviderBusyError, "TooManyRequests"),
        ("apns", {"kind": "quota", "seconds": 9}, ProviderBusyError, "Shutdown"),
        ("apns", {"kind": "away", "seconds": 0}, ProviderAwayError, "ServiceUnavailable"),
        ("apns", {"kind": "broken"}, ProviderAwayError, "InternalServerError"),
        ("apns", {"kind": "malformed"}, ProviderAwayError, "status 502 without a reason"),
        ("apns", {"kind": "login", "times": 2}, MessageRefusedError, "ExpiredProviderToken (status 403)"),
        ("fcm", {"kind": "quota", "seconds": 9}, ProviderBusyError, "QUOTA_EXCEEDED"),
        ("fcm", {"kind": "quota", "seconds": 0}, ProviderBusyError, "QUOTA_EXCEEDED"),
        ("fcm", {"kind": "away", "seconds": 0}, ProviderAwayError, "UNAVAILABLE"),
        ("fcm", {"kind": "away", "seconds": 9}, ProviderBusyError, "UNAVAILABLE"),
        ("fcm", {"kind": "malformed"}, ProviderAwayError, "status 502 without an error of FCM"),
        ("fcm", {"kind": "login", "times": 2}, MessageRefusedError, "UNAUTHENTICATED (status 401)"),
    ],
)
async def test_every_answer_has_its_meaning(
    providers: Any, stand_in: PushStandIn, name: str, fault: dict[str, Any], wanted: type[Exception], reason: str
) -> None:
    """And the next message goes through."""
    stand_in.control(faults=[fault])
    error = await outcome(providers[name], message(name))
    assert type(error) is wanted and str(error) == reason
    if isinstance(error, ProviderBusyError):
        assert error.retry_after_s == (fault["seconds"] or 60)
        assert error.everybody is (reason != "TooManyRequests")
    assert await outcome(providers[name], message(name)) is None


@pytest.mark.parametrize("name", PUSHES)
async def test_credentials_that_expired_are_renewed_at_once(providers: Any, stand_in: PushStandIn, name: str) -> None:
    """One refusal costs nothing."""
    await providers[name].send(message(name))
    stand_in.control(faults=[{"kind": "login"}] if name == "apns" else [], forget_access=True)
    await providers[name].send(message(name, "n2"))
    assert len(stand_in.received()) == 2


@pytest.mark.parametrize("name", PUSHES)
async def test_a_dead_token_is_told_from_a_wrong_setting(providers: Any, stand_in: PushStandIn, name: str) -> None:
    """Who was unregistered is gone for certain; a token of a wrong form, or for another app, may be our own fault."""
    stand_in.control(dead={TOKENS[name]: 1_700_000_000_000})
    gone = await outcome(providers[name], message(name))
    assert isinstance(gone, DeadAddressError) and gone.certain
    assert gone.since_ms == (1_700_000_000_000 if name == "apns" else None)
    bad = await outcome(providers[name], PushMessage("n", "short", "k", "t", "b", time.time() + 9))
    assert isinstance(bad, DeadAddressError) and not bad.certain


async def test_a_provider_that_is_not_there_is_away(settings: Settings) -> None:
    """Without its URL, or the address, in the error."""
    nowhere = settings.push.model_copy(update={"apns_url": "http://127.0.0.1:1", "fcm_url": "http://127.0.0.1:1"})
    gone = settings.model_copy(update={"push": nowhere, "smtp_url": "smtp://u:secret@127.0.0.1:1"})
    account = gone.push_fcm_credentials
    assert "127.0.0.1:1/" not in account
    for name, provider in open_providers(gone).items():
        error = await outcome(provider, message(name))
        assert isinstance(error, ProviderAwayError), (name, error)
        assert "127.0.0.1" not in str(error) and "secret" not in str(error) and TOKENS[name] not in str(error)
        await provider.close()


async def test_a_mail_has_both_texts_and_a_way_out(providers: Any, postbox: Postbox) -> None:
    """The same id at each attempt."""
    sent = message("smtp", html="<p>Court <b>3</b></p>", unsubscribe_url="https://club.example/u?t=1")
    for _ in range(2):
        await providers["smtp"].send(sent)
    first, second = postbox.of(TOKENS["smtp"])
    assert first["message-id"] == second["message-id"] and first["subject"] == "Game tonight"
    assert first["list-unsubscribe"] == "<https://club.example/u?t=1>"
    assert first["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    plain, html = first.iter_parts()
    assert plain.get_content().strip() == "Court 3" and html.get_content().strip() == "<p>Court <b>3</b></p>"


async def test_no_text_adds_a_header(providers: Any, postbox: Postbox) -> None:
    """Line breaks of every sort in a title are spaces; an address with one is refused."""
    for number, breaks in enumerate(("\r\n", "\n", "\r", "\x00", "\x0b", "\x85", "\u2028")):
        await providers["smtp"].send(message("smtp", f"i{number}", title=f"Hi{breaks}Bcc: evil@example.com"))
    assert {mail["subject"] for mail in postbox.of(TOKENS["smtp"])} == {"Hi Bcc: evil@example.com"}
    assert all(mail["bcc"] is None for _, mail in postbox.mails) and len(postbox.mails) == 7
    for address in ("a@example.com\r\nBcc: evil@example.com", "nobody", "a@b\n"):
        refused = PushMessage("x", address, "k", "t", "b", time.time() + 9)
        assert isinstance(await outcome(providers["smtp"], refused), MessageRefusedError), address
    assert not postbox.of("evil@example.com")


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("550 no such user", DeadAddressError),
        ("452 mailbox full", ProviderBusyError),
        ("554 not here", MessageRefusedError),
    ],
)
async def test_replies_of_the_relay(providers: Any, postbox: Postbox, reply: str, wanted: type[Exception]) -> None:
    """By their codes; and the connection goes on."""
    postbox.refusals["*"] = reply
    error = await outcome(providers["smtp"], message("smtp"))
    assert type(error) is wanted and "user" not in str(error)
    postbox.refusals.clear()
    assert await outcome(providers["smtp"], message("smtp")) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PUSH_APNS_KEY": "", "PUSH_APNS_TOPIC": ""}, "the environment lacks PUSH_APNS_TOPIC, PUSH_APNS_KEY"),
        ({"PUSH_APNS_KEY": "no key"}, "PUSH_APNS_KEY is no private key"),
        ({"PUSH_FCM_CREDENTIALS": "{}"}, "PUSH_FCM_CREDENTIALS is no JSON"),
        ({"SMTP_URL": "mail.example"}, "SMTP_URL is set, but the environment lacks MAIL_FROM"),
        ({**MAIL, "SMTP_URL": "http://x"}, "SMTP_URL must be"),
        ({"MAIL_FROM": "nobody"}, "must be an address"),
        ({"PUSH_APNS_URL": "http://elsewhere.example"}, "must begin with https://"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_named(stand_in: PushStandIn, change: dict[str, str], said: str) -> None:
    """Before the server starts, without the secrets themselves."""
    environment = {**stand_in.environment(), **change}
    with pytest.raises(UsageError) as raised:
        check_push(load_settings(None, environment))
    assert said in str(raised.value) and "PRIVATE" not in str(raised.value)
