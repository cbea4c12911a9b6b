"""What fits on a phone: how wide its images are, which rows of a list it shows, and when the next page is due."""

from __future__ import annotations

import random
from dataclasses import dataclass

WIDEST_IMAGE_PX = 1024
FIRST_ROWS, BATCH_ROWS = 10, 5
_FROM_THE_END = 0.1
"""At this share of the loaded rows before their end the next page is asked for."""


@dataclass(frozen=True)
class Device:
    """A kind of phone."""

    width: int
    """Of its screen, in the units that an app lays its views out in."""
    ratio: float
    """Pixels for each of them."""
    share: float
    """How many of the phones are of this kind, as a weight."""

    @property
    def image_px(self) -> int:
        """How wide an image is asked for that is as wide as the screen: at most 1,024 pixels."""
        return min(round(self.width * self.ratio), WIDEST_IMAGE_PX)


DEVICES = (
    Device(360, 3.0, 30),
    Device(390, 3.0, 20),
    Device(412, 2.625, 20),
    Device(360, 2.0, 15),
    Device(375, 2.0, 10),
    Device(320, 2.0, 5),
)
"""Common sizes of screens. The shares are an assumption: put those of your own statistics in their place."""


def device_of(numbers: random.Random) -> Device:
    """Somebody's phone."""
    return numbers.choices(DEVICES, [device.share for device in DEVICES])[0]


class ListWindow:
    """A list that shows its first 10 rows, then 5 more at a time, and loads the next page 10 % before its end."""

    def __init__(self) -> None:
        self.shown = 0
        self.loaded = 0
        self.page = 0
        self.ended = False

    def load(self, rows: int, *, more: bool) -> None:
        """A page has come with so many rows; `more` says whether there is another one."""
        self.page += 1
        self.loaded += rows
        self.ended = not more
        if not self.shown:
            self.shown = min(FIRST_ROWS, self.loaded)

    def scroll(self) -> range:
        """The next batch comes into view: which rows that are, counted from 0."""
        before, self.shown = self.shown, min(self.shown + BATCH_ROWS, self.loaded)
        return range(before, self.shown)

    @property
    def wants_page(self) -> bool:
        """Whether the next page is due: somebody sees the last tenth of what is loaded."""
        return not self.ended and self.shown >= self.loaded * (1 - _FROM_THE_END)
