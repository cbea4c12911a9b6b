"""Pictures: what may be uploaded, and in which sizes and formats it comes back."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from dbz.children import free_port
from tests.server.backend import Backend, start_redis, start_server
from tests.server.clients import SignIn, login
from tests.server.pictures import SCRIPT, claims_to_be, opened, photo

pytestmark = pytest.mark.anyio

BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


async def uploaded(http: httpx.AsyncClient, file: bytes, status: int = 201) -> dict[str, Any]:
    """The answer to the upload of a file as the whole body."""
    answer = await http.post("/api/media", content=file, headers={"content-type": "image/jpeg"})
    assert answer.status_code == status, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_an_upload_comes_back_in_the_size_and_format_that_is_asked_for(sign_in: SignIn) -> None:
    """Whole body or form; each reader gets the best format that it names, and a tag of its own for each."""
    user = await sign_in("user0001")
    shown = await uploaded(user.http, photo(3000, 2000))
    assert (shown["width"], shown["height"]) == (1024, 683) and shown["id"].startswith("club00.")
    form = await user.http.post(
        "/api/media", files={"file": ("a photo.jpg", photo(), "image/jpeg")}, data={"to": "all"}
    )
    assert form.status_code == 201 and form.headers["location"] == form.json()["url"]
    tags = set()
    for accept, kind in ((BROWSER, "avif"), ("image/webp,*/*", "webp"), ("*/*", "jpeg"), ("image/avif;q=0", "jpeg")):
        answer = await user.get(f"{shown['url']}?w=320&q=85", headers={"accept": accept})
        assert answer.headers["content-type"] == f"image/{kind}" and answer.headers["vary"] == "accept"
        assert opened(answer.content).size == (320, 213)
        tags.add(answer.headers["etag"])
        held = {"accept": accept, "if-none-match": answer.headers["etag"]}
        again = await user.get(f"{shown['url']}?w=320&q=85", headers=held)
        assert (again.status_code, again.content, again.headers["vary"]) == (304, b"", "accept")
        assert "immutable" in again.headers["cache-control"] and again.headers["etag"] == answer.headers["etag"]
        changed = await user.get(f"{shown['url']}?w=320&q=85", headers={**held, "if-none-match": '"other"'})
        assert changed.status_code == 200 and changed.content == answer.content
    assert len(tags) == 3


async def test_a_post_shows_a_picture_of_its_club(sign_in: SignIn) -> None:
    """The demo gallery has some; one that is written names what was uploaded, and nobody else's."""
    user, stranger = await sign_in("user0001"), await sign_in("user0201")
    (shown, *_) = (await user.get("/api/posts?category=gallery")).json()["items"]
    assert opened((await user.get(f"{shown['image']}?w=640")).content).size == (640, 480)
    picture = await uploaded(user.http, photo(300, 300))
    post = {"title": "On Sunday", "content": "x", "image": picture["id"]}
    made = await user.post("/api/posts", post)
    assert made.status_code == 201 and made.json()["image"] == picture["url"]
    assert (await user.get(f"/api/posts/{made.json()['id']}")).json()["image"] == picture["url"]
    for writer, image in ((stranger, picture["id"]), (user, "club00.nothing"), (user, "user0000")):
        refused = await writer.post("/api/posts", {**post, "image": image})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown_image")


async def test_few_sizes_are_made_and_never_more_pixels_than_there_are(sign_in: SignIn) -> None:
    """A width in between gets the next larger one; a small picture stays small."""
    user = await sign_in("user0001")
    url = (await uploaded(user.http, photo(1000, 500)))["url"]
    answers = {width: await user.get(f"{url}?w={width}") for width in (1, 64, 65, 700, 750, 768, 1024)}
    assert {width: opened(answer.content).width for width, answer in answers.items()} == {
        1: 64,
        64: 64,
        65: 128,
        700: 704,
        750: 768,
        768: 768,
        1024: 1000,
    }
    assert answers[750].headers["etag"] == answers[768].headers["etag"]
    assert (await user.get(url)).content == answers[1024].content


async def test_masters_are_upright_without_metadata_and_with_their_transparency(sign_in: SignIn) -> None:
    """Where a photo was taken stays with whoever took it; readers of JPEG see white where nothing is."""
    user = await sign_in("user0001")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken at home"
    url = (await uploaded(user.http, photo(800, 400, exif=exif, comment=b"at home")))["url"]
    answer = await user.get(url)
    assert opened(answer.content).size == (400, 800) and b"at home" not in answer.content
    see_through = Image.new("RGBA", (90, 90), (255, 0, 0, 0))
    url = (await uploaded(user.http, _png(see_through)))["url"]
    white = opened((await user.get(url)).content).getpixel((40, 40))
    clear = opened((await user.get(url, headers={"accept": "image/webp"})).content)
    assert min(white) > 250 and clear.mode == "RGBA" and clear.getpixel((40, 40))[3] == 0


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "P"), ("GIF", "L"), ("WEBP", "RGB"), ("AVIF", "RGB"), ("JPEG", "CMYK")]
)
async def test_formats_that_are_taken(sign_in: SignIn, kind: str, mode: str) -> None:
    """By their bytes, whatever the declared type says."""
    user = await sign_in("user0002")
    url = (await uploaded(user.http, photo(640, 480, kind, mode)))["url"]
    assert opened((await user.get(f"{url}?w=128")).content).size == (128, 96)


@pytest.mark.parametrize(
    ("file", "status", "code"),
    [
        (b"", 400, "empty_image"),
        (b"Dear diary, this is no photo. " * 50, 415, "not_an_image"),
        (SCRIPT, 415, "svg_refused"),
        (b"GIF89a", 422, "damaged_image"),
        (photo()[:20_000], 422, "damaged_image"),
        (photo(kind="PNG")[:20_000], 422, "damaged_image"),
        (photo(kind="TIFF"), 415, "unsupported_format"),
        (b"%PDF-1.7\n", 415, "unsupported_format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", 415, "unsupported_format"),
        (claims_to_be(60_000, 60_000), 413, "too_many_pixels"),
        (claims_to_be(8000, 6000), 413, "too_many_pixels"),
        (claims_to_be(2000, 2000), 422, "damaged_image"),
        (photo() + b"\xff\xda" * 200, 422, "damaged_image"),
        (bytes(10_000_001), 413, "too_large"),
    ],
)
async def test_files_that_are_refused_with_a_reason(sign_in: SignIn, file: bytes, status: int, code: str) -> None:
    """Each with a code and words of its own, as a whole body and in a form, and nothing is stored."""
    user = await sign_in(f"user{300 + status % 100:04d}")
    alone = await uploaded(user.http, file, status)
    form = await user.http.post("/api/media", files={"file": ("photo.jpg", file, "image/jpeg")})
    assert form.status_code == status and form.json()["error"]["code"] == alone["error"]["code"] == code
    assert "0x" not in alone["error"]["message"]


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("multipart/form-data", photo(64, 64), 400, "malformed_form"),
        ("multipart/form-data; boundary=x", photo(64, 64), 400, "malformed_form"),
        ("multipart/form-data; boundary=x", b"--x\r\nno head\r\n--x--", 400, "malformed_form"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422, "one_file"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
            422,
            "one_file",
        ),
    ],
)
async def test_forms_that_are_refused(sign_in: SignIn, content_type: str, body: bytes, status: int, code: str) -> None:
    """A form must be whole, and hold one file."""
    user = await sign_in("user0003")
    answer = await user.http.post("/api/media", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/media/photo1?w=0", 422),
        ("/media/photo1?w=1025", 422),
        ("/media/photo1?w=wide", 422),
        ("/media/photo1?w=-1", 422),
        ("/media/photo1?w=NaN", 422),
        ("/media/photo1?q=0", 422),
        ("/media/photo1?q=101", 422),
        ("/media/photo1?q=8.5", 422),
        ("/media/club00.01arz3ndektsv4rrffq69g5fav", 404),
        ("/media/.user0000", 200),
        ("/media/club00.", 404),
        ("/media/" + "a" * 101, 404),
        ("/media/photo%00", 404),
    ],
)
async def test_questions_that_are_refused(anyone: httpx.AsyncClient, path: str, status: int) -> None:
    """Sizes out of range name their limits; pictures that nobody has are 404, also for who names any tag."""
    answer = await anyone.get(path, headers={"if-none-match": "*"} if status == 404 else {})
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["message"]


async def test_only_members_upload_and_not_without_end(sign_in: SignIn, anyone: httpx.AsyncClient) -> None:
    """401 without a token, 429 beyond 30 a minute."""
    assert (await anyone.post("/api/media", content=photo(64, 64))).status_code == 401
    user = await sign_in("user0004")
    answers = [await user.http.post("/api/media", content=b"") for _ in range(31)]
    assert [answer.status_code for answer in answers] == [400] * 30 + [429]
    assert answers[-1].headers["retry-after"]


async def test_many_readers_of_two_processes_have_it_made_once(folder: Path, stores: tuple[str, str]) -> None:
    """Forty ask at the same moment; the document is read, and the picture made, by one of them."""
    child, where = start_server(folder, *stores, options=["--processes", "2"])
    with child:
        async with httpx.AsyncClient(base_url=where.url, timeout=60) as http:
            tokens = await login(http, "user0410")
            http.headers["authorization"] = f"Bearer {tokens['access_token']}"
            url = (await uploaded(http, photo()))["url"]
        clients = [httpx.AsyncClient(base_url=where.url, timeout=60) for _ in range(40)]
        answers = await asyncio.gather(*(client.get(f"{url}?w=500") for client in clients))
        assert len({answer.content for answer in answers}) == 1 and answers[0].status_code == 200
        await asyncio.sleep(1.2)  # until the processes have published their figures
        metrics = (await clients[0].get("/metrics")).text
        for client in clients:
            await client.aclose()
    (reads,) = [line.split()[-1] for line in metrics.splitlines() if "media.body" in line and "_count" in line]
    assert float(reads) == 1


async def test_without_redis_pictures_are_made_all_the_same(folder: Path, stores: tuple[str, str]) -> None:
    """By each process for itself, and at once."""
    port = free_port()
    with start_redis(folder, port) as redis:
        child, where = start_server(folder, stores[0], f"redis://127.0.0.1:{port}")
        with child:
            async with httpx.AsyncClient(base_url=where.url, timeout=60) as http:
                tokens = await login(http, "user0411")
                http.headers["authorization"] = f"Bearer {tokens['access_token']}"
                url = (await uploaded(http, photo(300, 200)))["url"]
                redis.stop()
                answers = await asyncio.gather(*(http.get(f"{url}?w={width}") for width in (64, 64, 128, 256)))
    assert [opened(answer.content).width for answer in answers] == [64, 64, 128, 256]


async def test_the_loop_goes_on_while_pictures_are_made(backend: Backend, sign_in: SignIn) -> None:
    """Twenty large pictures are on their way; a request that needs none is answered before them."""
    user = await sign_in("user0005")
    url = (await uploaded(user.http, photo()))["url"]
    accept = {"accept": "image/avif"}
    order = []

    async def ask(path: str, headers: dict[str, str]) -> None:
        assert (await user.get(path, headers=headers)).status_code == 200
        order.append(path)

    pictures = [asyncio.create_task(ask(f"{url}?w={width}", accept)) for width in range(576, 1025, 64)]
    await asyncio.sleep(0.02)
    await asyncio.gather(ask("/api/me", {}), *pictures)
    assert order.index("/api/me") < len(order) - 2


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
