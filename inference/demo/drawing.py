"""Draw the pictures of the demo world, each fully determined by (seed, index).

A picture is one of four kinds: up to four shapes (one a quadrant, or a single one in the middle),
a word or a number, a photograph-like picture (outside the demo world), or an empty sheet.
It is drawn on a larger canvas and resized, as a pasted picture would be by the image processor,
to one of the grids that the processor yields for 128 x 128 pixels of budget.

Boxes are (left, top, right, bottom) in fractions of the picture's width and height.
"""

import io
import itertools
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inference.demo.photographs import draw_photograph

Box: TypeAlias = tuple[float, float, float, float]
Colour: TypeAlias = tuple[int, int, int]
Kind = Literal["shapes", "text", "photo", "empty"]

COLOURS: Final[dict[str, tuple[Colour, ...]]] = {
    "red": ((220, 40, 40), (255, 0, 0), (200, 20, 30), (229, 57, 53)),
    "green": ((40, 160, 60), (0, 128, 0), (0, 200, 0), (67, 160, 71), (0, 255, 0)),
    "blue": ((40, 80, 220), (0, 0, 255), (20, 60, 180), (30, 136, 229)),
    "yellow": ((240, 210, 40), (255, 255, 0), (253, 216, 53), (250, 230, 0)),
    "purple": ((140, 60, 180), (128, 0, 128), (120, 40, 160), (142, 36, 170)),
    "orange": ((245, 140, 30), (255, 165, 0), (251, 140, 0), (255, 128, 0)),
    "black": ((20, 20, 20), (0, 0, 0), (33, 33, 33), (40, 40, 40)),
    "pink": ((250, 140, 190), (255, 192, 203), (255, 105, 180), (244, 143, 177)),
}
SHAPES: Final = ("circle", "square", "triangle", "star", "ring", "cross")
CORNERS: Final = ("top left", "top right", "bottom left", "bottom right")
MIDDLE: Final = "middle"
PLACES: Final = (*CORNERS, MIDDLE)
# fmt: off
WORDS: Final = (
    "cat", "dog", "sun", "map", "key", "box", "cup", "hat", "bus", "tree", "fish", "book", "leaf",
    "moon", "ship", "bird", "door", "lamp", "milk", "rain",
)
# fmt: on
# Sizes (width, height) that smart_resize yields for usual shapes of pictures, and their shares.
GRIDS: Final[dict[tuple[int, int], float]] = {
    (128, 128): 0.50,
    (128, 96): 0.24,
    (96, 128): 0.07,
    (160, 96): 0.07,
    (96, 160): 0.02,
    (160, 128): 0.03,
    (128, 160): 0.02,
    (160, 64): 0.03,
    (192, 64): 0.02,
}
KIND_SHARES: Final[dict[Kind, float]] = {"shapes": 0.54, "text": 0.35, "photo": 0.08, "empty": 0.03}
_STRIDE: Final = 1_000_003


@dataclass(frozen=True, slots=True)
class Drawn:
    """One shape: its kind, colour name, place name and bounding box (fractions)."""

    shape: str
    colour: str
    place: str
    box: Box

    @property
    def name(self) -> str:
        """Colour and shape, as in `red circle`."""
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows; everything a question may be about."""

    kind: Kind
    size: tuple[int, int]
    things: tuple[Drawn, ...] = ()
    text: str = ""
    text_colour: str = ""
    letters: tuple[Box, ...] = ()


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give the font inside Pillow, so that pictures are the same on every machine."""
    return ImageFont.load_default(size_px)


def outline(shape: str, x: float, y: float, r: float) -> list[tuple[float, float]]:
    """Corner points of a polygonal shape around (x, y) with half-width r, in the unit of r."""
    if shape == "square":
        return [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
    if shape == "triangle":
        return [(x, y - r), (x - r, y + r), (x + r, y + r)]
    if shape == "star":
        rays = [(r if k % 2 == 0 else 0.42 * r, k * math.pi / 5) for k in range(10)]
        return [(x + d * math.sin(a), y - d * math.cos(a)) for d, a in rays]
    w = r / 3
    signs = [(-w, -r), (w, -r), (w, -w), (r, -w), (r, w), (w, w)]
    return [(x + a, y + b) for a, b in signs + [(-a, -b) for a, b in signs]]


def draw_shape(
    pen: ImageDraw.ImageDraw, shape: str, *, at: tuple[float, float], r: float, fill: Colour
) -> Box:
    """Draw one shape and return its bounding box in canvas pixels."""
    x, y = at
    box = (x - r, y - r, x + r, y + r)
    if shape == "circle":
        pen.ellipse(box, fill=fill)
        return box
    if shape == "ring":
        pen.ellipse(box, outline=fill, width=max(2, round(r * 0.33)))
        return box
    points = outline(shape, x, y, r)
    pen.polygon(points, fill=fill)
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return (min(xs), min(ys), max(xs), max(ys))


def shade(rng: random.Random, colour: str) -> Colour:
    """One of a colour's usual RGB values, jittered a little."""
    r, g, b = rng.choice(COLOURS[colour])
    if rng.random() < 0.5:
        return (r, g, b)
    r, g, b = (max(0, min(255, v + rng.randint(-12, 12))) for v in (r, g, b))
    return (r, g, b)


def sheet(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Give a plain background from white to light grey or a light tint."""
    roll = rng.random()
    if roll < 0.5:
        return Image.new("RGB", size, (255, 255, 255))
    if roll < 0.65:
        grey = rng.randint(205, 254)
        return Image.new("RGB", size, (grey, grey, grey))
    r, g, b = (rng.randint(226, 255) for _ in range(3))
    return Image.new("RGB", size, (r, g, b))


def canvas_size(rng: random.Random, grid: tuple[int, int], *, pasted: bool) -> tuple[int, int]:
    """Size of the canvas that becomes `grid`: larger, at times stretched by a tenth.

    A `pasted` picture is as large as people's are, and left for the image processor to resize.
    """
    if not pasted and rng.random() < 0.15:
        return grid
    scale = rng.uniform(1.7, 5.0) if pasted else rng.uniform(1.3, 3.0)
    stretch = rng.uniform(0.87, 1.15) if rng.random() < 0.6 else 1.0
    return round(grid[0] * scale * stretch), round(grid[1] * scale)


def _corner_spot(
    rng: random.Random, corner: str, size: tuple[int, int], r: float
) -> tuple[float, float]:
    spots = []
    for axis, length in enumerate(size):
        low, high = r + 0.01 * length, 0.5 * length - r
        spot = rng.uniform(low, high) if low < high else 0.25 * length
        far = ("right" if axis == 0 else "bottom") in corner
        spots.append(length - spot if far else spot)
    return spots[0], spots[1]


def _draw_shapes(rng: random.Random, image: Image.Image) -> tuple[Drawn, ...]:
    pen, (width, height) = ImageDraw.Draw(image), image.size
    side, things = min(width, height), []
    count = rng.choices((1, 2, 3, 4), (0.34, 0.24, 0.22, 0.20))[0]
    alone = count == 1 and rng.random() < 0.7
    for place in [MIDDLE] if alone else rng.sample(CORNERS, count):
        shape, colour = rng.choice(SHAPES), rng.choice(list(COLOURS))
        if place == MIDDLE:
            r = side * rng.uniform(0.1, 0.47)
            slack = min(0.07 * side, 0.5 * side - r)
            at = (width / 2 + rng.uniform(-slack, slack), height / 2 + rng.uniform(-slack, slack))
        else:
            r = side * rng.uniform(0.09, 0.235)
            at = _corner_spot(rng, place, image.size, r)
        left, top, right, bottom = draw_shape(pen, shape, at=at, r=r, fill=shade(rng, colour))
        box = (left / width, top / height, right / width, bottom / height)
        things.append(Drawn(shape, colour, place, box))
    return tuple(sorted(things, key=lambda thing: PLACES.index(thing.place)))


def write_text(rng: random.Random, image: Image.Image, text: str, colour: str) -> tuple[Box, ...]:
    """Write `text` somewhere near the middle; return each letter's box (fractions)."""
    pen, (width, height) = ImageDraw.Draw(image), image.size
    size_px = min(width, height) * rng.uniform(0.34, 0.6)
    size_px *= min(1.0, 0.9 * width / font(100).getlength(text) * 100 / size_px)
    face = font(max(8, round(size_px)))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=face)
    x = (width - (right - left)) * rng.betavariate(2, 2) - left
    y = (height - (bottom - top)) * rng.betavariate(2, 2) - top
    pen.text((x, y), text, fill=shade(rng, colour), font=face)
    edges = [x + face.getlength(text[:k]) for k in range(len(text) + 1)]
    return tuple(
        (a / width, (y + top) / height, b / width, (y + bottom) / height)
        for a, b in itertools.pairwise(edges)
    )


def _disturb(rng: random.Random, image: Image.Image) -> Image.Image:
    if rng.random() < 0.2:
        noise = np.random.default_rng(rng.getrandbits(32)).normal(
            0, rng.uniform(1, 6), image.size[::-1]
        )
        image = Image.fromarray(
            np.clip(np.asarray(image, np.float32) + noise[..., None], 0, 255).astype(np.uint8)
        )
    if rng.random() < 0.12:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=rng.randint(55, 95))
        image = Image.open(file).convert("RGB")
    return image


def draw_scene(
    seed: int,
    index: int,
    *,
    kind: Kind | None = None,
    size: tuple[int, int] | None = None,
    pasted: bool = False,
) -> tuple[Scene, Image.Image]:
    """Draw picture `index` of `seed`; the same arguments give the same pixels.

    `size` is (width, height) in pixels and one of GRIDS when left out. The image is RGB, of that
    size or, if `pasted`, of some larger one. Photographs depend on the wheels installed, and a
    pasted one is among those that training never sees.
    """
    rng = random.Random(seed * _STRIDE + index)
    grid = rng.choices(list(GRIDS), list(GRIDS.values()))[0]
    drawn_kind = rng.choices(list(KIND_SHARES), list(KIND_SHARES.values()))[0]
    grid, chosen = size or grid, kind or drawn_kind
    if chosen == "photo":
        large = canvas_size(rng, grid, pasted=True) if pasted else grid
        return Scene("photo", grid), draw_photograph(rng, large, held_out=pasted)
    image = sheet(rng, canvas_size(rng, grid, pasted=pasted))
    scene = Scene("empty", grid)
    if chosen == "shapes":
        scene = Scene("shapes", grid, things=_draw_shapes(rng, image))
    elif chosen == "text":
        colour = rng.choice(list(COLOURS))
        text = rng.choice(WORDS) if rng.random() < 0.4 else draw_number(rng)
        letters = write_text(rng, image, text, colour)
        scene = Scene("text", grid, text=text, text_colour=colour, letters=letters)
    if image.size != grid and not pasted:
        image = image.resize(grid, Image.Resampling.BICUBIC)
    return scene, _disturb(rng, image)


def draw_number(rng: random.Random) -> str:
    """Give a number of one, two or three digits, the longer ones more often."""
    digits = rng.choices((1, 2, 3), (0.2, 0.35, 0.45))[0]
    return str(rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits))


def draw_plan(
    size: tuple[int, int], plan: Sequence[tuple[str, str, str]], *, r: float = 0.16
) -> Image.Image:
    """Draw (colour, shape, place) triples on white; `r` is a fraction of the shorter side."""
    image = Image.new("RGB", size, (255, 255, 255))
    pen, (width, height) = ImageDraw.Draw(image), size
    for colour, shape, place in plan:
        x = 0.5 if place == MIDDLE else 0.75 if "right" in place else 0.25
        y = 0.5 if place == MIDDLE else 0.75 if "bottom" in place else 0.25
        at, half = (x * width, y * height), r * min(size)
        draw_shape(pen, shape, at=at, r=half, fill=COLOURS[colour][0])
    return image


EXAMPLES: Final[tuple[tuple[tuple[int, int], tuple[tuple[str, str, str], ...]], ...]] = (
    (
        (640, 480),
        (
            ("red", "circle", "top left"),
            ("blue", "square", "top right"),
            ("green", "star", "bottom left"),
        ),
    ),
    ((480, 480), (("orange", "triangle", MIDDLE),)),
)
"""Two pictures for screenshots: (size, plan) as `draw_plan` takes them."""


def main(paths: Sequence[str]) -> None:
    """Write the example pictures to the given files, then numbered scenes of seed 0."""
    for number, path in enumerate(paths):
        if number < len(EXAMPLES):
            size, plan = EXAMPLES[number]
            draw_plan(size, plan).save(path)
        else:
            draw_scene(0, number)[1].save(path)


if __name__ == "__main__":
    main(sys.argv[1:])
