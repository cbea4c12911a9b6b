"""A website in Starlette as somebody else would write it: pages that are quick, slow, broken, or ask elsewhere.

Started with `granian --interface asgi tests.load.website:app`.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

HITS: Counter[str] = Counter()
_YEAR = {"Cache-Control": "public, max-age=31536000"}

FRONT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Club</title>
<script src="/cached.js"></script><h1>Club</h1>
<form action="/never"><button>Send</button></form>
<a href="/never">away</a> <button id="like">Like</button><button id="other">Other</button><div id="late"></div>
<script>
const busy = ms => { const end = performance.now() + ms; while (performance.now() < end); };
document.getElementById("like").onclick = () => { busy(120); document.title = "liked"; fetch("/liked"); };
document.getElementById("other").onclick = () => fetch("/other");
fetch("/data").then(answer => answer.json()).then(data => {
  const text = document.createElement("p");
  text.textContent = data.text;
  text.style.font = "40px serif";
  document.querySelector("h1").before(text);
});
</script></html>"""
ODD = """<!doctype html><title>Odd</title><h1>Odd</h1><script src="/nowhere.js"></script>
<script>setTimeout(() => { throw new Error("a rally too long"); }, 5);</script>"""


async def front(_: Request) -> Response:
    """A page whose largest content comes late and moves what is there; one button is slow, one is in a form."""
    HITS["front"] += 1
    return HTMLResponse(FRONT)


async def data(_: Request) -> Response:
    """What the front page shows late."""
    await asyncio.sleep(0.3)
    return JSONResponse({"text": "match " * 60})


async def slow(_: Request) -> Response:
    """A page that takes its time."""
    await asyncio.sleep(2)
    return HTMLResponse("<!doctype html><title>Slow</title><h1>Slow</h1>")


async def broken(_: Request) -> Response:
    """A page that fails."""
    return HTMLResponse("<h1>no</h1>", 500)


async def hangs(_: Request) -> Response:
    """A page that never comes."""
    await asyncio.sleep(600)
    return Response()


async def asks(request: Request) -> Response:
    """A page that asks whatever `?url=` names, with an image and a script."""
    url = request.query_params["url"]
    return HTMLResponse(f'<!doctype html><h1>Asks</h1><img src="{url}"><script>fetch("{url}?again")</script>')


async def counted(request: Request) -> Response:
    """Answers anything, and may be kept for a year."""
    HITS[request.url.path] += 1
    return Response("", headers=_YEAR, media_type="text/javascript")


async def hits(_: Request) -> Response:
    """How often each path was asked for."""
    return JSONResponse(dict(HITS))


app = Starlette(
    routes=[
        Route("/", front),
        Route("/data", data),
        Route("/slow", slow),
        Route("/broken", broken),
        Route("/hangs", hangs),
        Route("/odd", lambda _: HTMLResponse(ODD)),
        Route("/asks", asks),
        Route("/hits", hits),
        *(Route(path, counted) for path in ("/cached.js", "/liked", "/other", "/never", "/healthz")),
    ]
)
