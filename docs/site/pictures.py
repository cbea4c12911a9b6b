"""The pictures of the documentation, from a real run: a terminal as SVG, the HTML report as WebP (`make pictures`)."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

from dbz.load.pages.browser import find_browser

PICTURES = Path(__file__).parent.parent / "pictures"
DBZ = [sys.executable, "-m", "dbz.cli.main"]
COLUMNS = 104
# Rich's pictures name a font that comes from elsewhere; ours load nothing.
_FOREIGN_FONT = re.compile(r"@font-face \{.*?\n    \}\n", re.DOTALL)
_FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def terminal(arguments: list[str], folder: Path) -> str:
    """What a command prints on a terminal, with its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen([*DBZ, *arguments], cwd=folder, stdout=theirs, stderr=subprocess.DEVNULL, env=env)
    os.close(theirs)
    told = b""
    try:
        while part := os.read(ours, 65536):
            told += part
    except OSError:  # that is how a terminal says that its program has ended
        pass
    finally:
        os.close(ours)
        process.wait()
    return told.decode().replace("\r\n", "\n")


def draw_terminal(title: str, told: str, file: Path, lines: int) -> None:
    """An SVG of the first lines of what was told."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text(f"$ {title}\n", style="bold"), Text.from_ansi("\n".join(told.split("\n")[:lines])), sep="")
        picture = console.export_svg(title="", unique_id=file.stem)
    file.write_text(_FOREIGN_FONT.sub("", picture).replace("Fira Code, monospace", _FONTS))


def draw_page(page: Path, file: Path, folder: Path, height: int) -> None:
    """A WebP of the top of a page."""
    shot = folder / "shot.png"
    command = [find_browser(), "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size=1200,{height}"]
    command += ["--virtual-time-budget=5000", f"--screenshot={shot}", page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(shot) as picture:
        picture.convert("RGB").save(file, quality=82, method=6)


def main() -> int:
    """Run the load that is named, and draw what a person sees of it; a run that is not green is not drawn."""
    arguments = ["load", *sys.argv[1:]]
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load = subprocess.run([*DBZ, *arguments], cwd=folder, stdout=subprocess.DEVNULL)
        if load.returncode == 0:
            draw_terminal(
                shlex.join(["dbz", *arguments]), terminal(["report", "show"], folder), PICTURES / "load.svg", 32
            )
            (page,) = folder.glob("reports/*/report.html")
            draw_page(page, PICTURES / "report.webp", folder, 1000)
    return load.returncode


if __name__ == "__main__":
    sys.exit(main())
