"""A message as an e-mail: plain text, and HTML beside it; nothing in it can add a header."""

from __future__ import annotations

import unicodedata
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from dbz.server.push.provider import MessageRefusedError, PushMessage
from dbz.server.values.clock import utc_now
from dbz.server.values.email_address import is_address

_LONGEST_SUBJECT = 200


def mail_of(message: PushMessage, sender: str) -> EmailMessage:
    """The mail of a message from `sender`; `MessageRefusedError` for an address that is none."""
    name, address = parseaddr(sender)
    if not is_address(message.address):
        raise MessageRefusedError("the address is none")
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(one_line(name), addr_spec=address)
    mail["To"] = Address(addr_spec=message.address)
    mail["Subject"] = one_line(message.title)[:_LONGEST_SUBJECT]
    mail["Date"] = format_datetime(utc_now())
    # The same at each attempt, so that a mail box which gets it twice can tell.
    mail["Message-ID"] = f"<{message.uuid}@{address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(message.body or message.title)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    return mail


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, which do not belong in a header."""
    spaced = "".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in text)
    return " ".join(spaced.split())
