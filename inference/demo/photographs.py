"""Pictures from outside the demo world: procedural ones, and crops of installed photographs.

The model must refuse to speak about them. Nothing here is committed as a picture: procedural ones
come from a seed, photographs from the scikit-image and scikit-learn wheels where these are present.
"""

import importlib.util
import random
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

HELD_OUT: Final = (
    "china.jpg",
    "coffee.png",
    "chelsea.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
)
"""File names kept for evaluation: training never sees them."""
_SUFFIXES: Final = {".png", ".jpg", ".jpeg"}
_DRAWN: Final = {
    "chessboard_GRAY.png",
    "chessboard_RGB.png",
    "phantom.png",
    "horse.png",
    "logo.png",
}


@cache
def installed_photographs(held_out: bool) -> tuple[Path, ...]:
    """Photographs inside installed scikit-image and scikit-learn wheels, sorted by name."""
    found: list[Path] = []
    for package, folder in (("skimage", "data"), ("sklearn", "datasets/images")):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            files = (Path(place) / folder).glob("*")
            found += [file for file in files if file.suffix.lower() in _SUFFIXES]
    return tuple(
        sorted(f for f in found if f.name not in _DRAWN and (f.name in HELD_OUT) == held_out)
    )


@cache
def _photograph(path: Path) -> Image.Image:
    with Image.open(path) as file:
        image = file.convert("RGB")
    image.thumbnail((420, 420))
    return image


def crop_photograph(
    rng: random.Random, size: tuple[int, int], held_out: bool
) -> Image.Image | None:
    """Crop a random installed photograph to `size` (width, height); None when none is there."""
    paths = installed_photographs(held_out)
    if not paths:
        return None
    image = _photograph(rng.choice(paths))
    share = rng.uniform(0.45, 1.0)
    scale = share * min(image.width / size[0], image.height / size[1])
    width, height = size[0] * scale, size[1] * scale
    left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
    crop = image.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop


def _noise(rng: random.Random, size: tuple[int, int], channels: int) -> NDArray[np.float32]:
    """Fractal noise in 0..1, shape (height, width, channels): blurred grids added up."""
    source = np.random.default_rng(rng.getrandbits(32))
    fall = rng.uniform(0.4, 0.9)
    total = np.zeros((size[1], size[0], channels), np.float32)
    for octave in range(5):
        n = 2 ** (octave + 1) + 1
        for c in range(channels):
            grid = Image.fromarray(source.random((n, n), np.float32))
            total[..., c] += fall**octave * np.asarray(grid.resize(size, Image.Resampling.BICUBIC))
    total -= total.min()
    return total / max(1e-6, float(total.max()))


def _clouds(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    low = np.array([rng.uniform(0, 255) for _ in range(3)], np.float32)
    high = np.array([rng.uniform(0, 255) for _ in range(3)], np.float32)
    mix = _noise(rng, size, rng.choice((1, 3)))
    return Image.fromarray((low + (high - low) * mix).clip(0, 255).astype(np.uint8))


def _blobs(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    image = _clouds(rng, size)
    pen, (width, height) = ImageDraw.Draw(image), size
    for _ in range(rng.randint(5, 30)):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(5, 45)
        fill = (rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255))
        corners = [
            (x + rng.uniform(-r, r), y + rng.uniform(-r, r)) for _ in range(rng.randint(3, 7))
        ]
        if rng.random() < 0.5:
            pen.polygon(corners, fill=fill)
        else:
            pen.ellipse((x - r, y - r * rng.uniform(0.3, 1), x + r, y + r), fill=fill)
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 4)))


def _scenery(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Sky over ground with a rough horizon and some uprights, as in landscape photographs."""
    width, height = size
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = np.array([rng.uniform(80, 255) for _ in range(3)], np.float32)
    pixels = np.broadcast_to(sky * (0.6 + 0.4 * rows), (height, width, 3)).copy()
    ground = np.array([rng.uniform(10, 170) for _ in range(3)], np.float32)
    horizon = height * rng.uniform(0.3, 0.7) + 20 * (_noise(rng, size, 1)[0, :, 0] - 0.5)
    below = np.arange(height)[:, None] > horizon[None, :]
    pixels[below] = ground
    for _ in range(rng.randint(0, 6)):
        x, w, top = rng.randrange(width), rng.randint(3, 30), rng.randrange(height)
        pixels[top : top + rng.randint(10, 90), x : x + w] *= rng.uniform(0.2, 1.4)
    pixels *= 0.6 + 0.8 * _noise(rng, size, 1)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(0.6)
    )


def draw_procedural(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Give a picture made of noise, blobs or scenery; `size` is (width, height)."""
    image = rng.choice((_clouds, _blobs, _blobs, _scenery))(rng, size)
    if rng.random() < 0.15:
        image = image.convert("L").convert("RGB")
    return image


def draw_photograph(
    rng: random.Random, size: tuple[int, int], *, held_out: bool = False
) -> Image.Image:
    """Give a picture outside the demo world: half of them photographs, where wheels ship some."""
    crop = crop_photograph(rng, size, held_out) if rng.random() < 0.5 else None
    return crop or draw_procedural(rng, size)
