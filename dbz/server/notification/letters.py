"""Mails: HTML beside the plain text, and the link that ends them."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from string import Template

from dbz.server.events.queue import Job
from dbz.server.notification.preferences import EMAIL, Preferences
from dbz.server.notification.unsubscribe import UnsubscribeLinks
from dbz.server.push.provider import PushMessage

_END = {
    "en": "No more mails like this",
    "ko": "이 메일을 더 이상 받지 않기",
    "de": "Keine solchen Mails mehr",
}
_PAGE = Template(
    """<!DOCTYPE html>
<html lang="$language"><head><meta charset="utf-8"><title>$title</title></head>
<body style="font-family: sans-serif; max-width: 36em; margin: 1em auto">
<h1 style="font-size: 1.2em">$title</h1>
$paragraphs
<hr><p style="color: #666; font-size: 0.85em"><a href="$url">$end</a></p>
</body></html>
"""
)


class Letters:
    """Makes mails of messages; pushes stay as they are."""

    def __init__(self, links: UnsubscribeLinks) -> None:
        self._links = links

    def worded(self, message: PushMessage, job: Job, wishes: Preferences) -> PushMessage:
        """The message with what its way needs. What members wrote is text in it, never markup."""
        if job["channel"] != EMAIL:
            return message
        url = self._links.url(job["user_id"], job["club_id"], message.kind)
        end = _END[wishes.language]
        text = f"{message.body}\n\n-- \n{end}: {url}\n"
        lines = [line for line in message.body.splitlines() if line.strip()]
        paragraphs = "\n".join(f"<p>{escape(line)}</p>" for line in lines)
        html = _PAGE.substitute(
            language=wishes.language, title=escape(message.title), paragraphs=paragraphs, url=escape(url), end=end
        )
        return replace(message, body=text, html=html, unsubscribe_url=url)
