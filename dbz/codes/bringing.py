"""Errors of bringing somebody else's material: import, init, record."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind

BRINGING = (
    ErrorKind(
        "B001", "the file is of no known kind",
        "Nothing in the file tells what it is: dbz reads HAR, OpenAPI, Postman collections, access logs and "
        "curl commands.",
        "Export it again in one of these forms; the message names those of the kind that it looks like.",
    ),
    ErrorKind(
        "B002", "the file is damaged",
        "The file is empty, too large, nested too deeply, or was cut off; or a curl command in it does not end.",
        "Export it again. Of a large recording, keep the requests of the server that you mean.",
    ),
    ErrorKind(
        "B003", "the description of the API cannot be followed",
        "The OpenAPI document has no operations, or a $ref in it leads nowhere, in a circle, or to another document.",
        "Mend the reference that the message names, or bundle the document into one file first.",
    ),
    ErrorKind(
        "B004", "nothing is left to be played",
        "The file holds no request, or all of them are static files, go to other servers, or have no times "
        "for --replay.",
        "Name the server that you mean with --target, or keep static files with --statics.",
    ),
    ErrorKind(
        "B005", "the URL answers something else",
        "A description of an API was looked for at the URL, and what answered is none.",
        "Name the URL of the document itself, or save it and give the file with --from.",
    ),
    ErrorKind(
        "B006", "the material names no server",
        "A description or a Locust file can be about any server, and this one says none.",
        "Say which server is meant: --target URL.",
    ),
    ErrorKind(
        "B007", "nothing of it works on this server",
        "Every request that was tried failed, or no user could sign in: another server, or other ids and credentials.",
        "The message shows what was answered. Examples in the description say which ids and values the server knows.",
    ),
    ErrorKind(
        "B008", "nothing passed the proxy",
        "The recording ended before the server was reached through the proxy.",
        "Open the address that `dbz record` prints, not the server's own.",
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
