"""Sends hostile pictures to a server, as a signed-in person does, and looks at what it serves.

One row for the generated corpus, one for a folder of files, such as Pillow's own Tests/images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from time import monotonic

from PIL import Image

from tests.attack.target import Target
from tests.chat.decoding.forged_files import unneeded_bytes
from tests.chat.decoding.hostile_corpus import ANY, PICTURE, Case, cases
from tests.chat.decoding.picture_corpus import SECRET, SIZE, drawn, encoded
from tests.faults.figures import Figure, percentile

GOAL = "right answer in 2 s, no death outside the sandbox, 10 MiB, nothing left but pixels"
ANSWER_S = 2.0
GROWTH_MIB = 10.0
# Before memory is compared, buffers of each size are taken and given back: what comes after may not
# need more. Sides of a square without compression: 60 kB to 12 MB.
WARM_UP_SIDES_PX = (150, 300, 600, 1000, 1500, 2000)
WARM_UP_ROUNDS = 4
TOLERANCE = 40
CREATED = 201


@dataclass(slots=True)
class _Findings:
    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    unneeded: int = 0
    upright: int = 0
    wrong: list[str] = field(default_factory=list)


def corpus(target: Target, *, seed: int, mutations: int) -> Figure:
    """Upload the generated corpus."""
    return _run(target, "pictures", cases(seed, mutations))


def folder(target: Target, path: Path) -> Figure:
    """Upload every file below a folder: whatever it is, it must get some answer."""
    return _run(target, "folder", _files(path))


def _files(path: Path) -> Iterator[Case]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield Case(file.name, file.read_bytes, ANY)


def _run(target: Target, name: str, uploads: Iterable[Case]) -> Figure:
    _warm_up(target)
    before = target.memory_mib()
    server, forker, deaths = target.pid, target.fork_server_pid(), target.sandbox_deaths()
    found = _Findings()
    for case in uploads:
        _upload(target, case, found)
    growth = target.memory_mib() - before
    found.wrong += _judged(target, found, growth)
    if (server, forker) != (target.pid, target.fork_server_pid()):
        found.wrong.append("a process outside the sandbox has died")
    measured = {
        "pictures": found.outcomes[PICTURE],
        "refusals": found.outcomes.total() - found.outcomes[PICTURE],
        "p50_ms": round(1000 * percentile(found.seconds, 50)),
        "p99_ms": round(1000 * percentile(found.seconds, 99)),
        "max_ms": round(1000 * max(found.seconds)),
        "growth_mib": round(growth, 1),
        "unneeded_bytes": found.unneeded,
        "killed_in_the_sandbox": target.sandbox_deaths() - deaths,
    }
    if found.upright:
        measured["upright"] = found.upright
    return Figure(name, GOAL, len(found.seconds), measured, found.wrong)


def _warm_up(target: Target) -> None:
    for number in range(WARM_UP_ROUNDS):
        for side_px in WARM_UP_SIDES_PX:
            content = encoded(drawn(size=(side_px + number, side_px)), "BMP")
            image = target.upload("warm-up.bmp", content).json()
            target.served(image["id"], "full")
            target.upload("refused", b"x" + content)


def _upload(target: Target, case: Case, found: _Findings) -> None:
    content = case.make()
    began = monotonic()
    # The name says something else than the content, and is itself a secret.
    response = target.upload(f"{SECRET.decode()}.svg", content)
    found.seconds.append(monotonic() - began)
    body = response.json()
    outcome = PICTURE if response.status_code == CREATED else str(body["error"]["code"])
    found.outcomes[outcome] += 1
    if outcome not in case.outcomes:
        found.wrong.append(f"{case.name}: {outcome}")
    if found.seconds[-1] > ANSWER_S:
        found.wrong.append(f"{case.name}: {found.seconds[-1]:.1f} s")
    if outcome == PICTURE:
        _look(target, case, str(body["id"]), found)


def _look(target: Target, case: Case, image_id: str, found: _Findings) -> None:
    full, thumbnail = (target.served(image_id, size) for size in ("full", "thumb"))
    for served in (full, thumbnail):
        unneeded = unneeded_bytes(served.content) + (SECRET in served.content)
        found.unneeded += unneeded
        if unneeded:
            found.wrong.append(f"{case.name}: {unneeded} bytes left")
        if "sandbox" not in served.headers["Content-Security-Policy"]:
            found.wrong.append(f"{case.name}: not served inert")
    if case.is_drawn:
        if _is_drawn(full.content):
            found.upright += case.name.startswith("oriented")
        else:
            found.wrong.append(f"{case.name}: not the picture that was sent")


def _is_drawn(content: bytes) -> bool:
    """Say whether the red quarter is at the top left of blue."""
    picture = Image.open(BytesIO(content)).convert("RGB")
    looked_for = {(8, 8): (255, 0, 0), (50, 8): (0, 0, 255), (8, 33): (0, 0, 255)}
    return picture.size == SIZE and all(
        max(abs(a - b) for a, b in zip(_pixel(picture, at), colour, strict=True)) <= TOLERANCE
        for at, colour in looked_for.items()
    )


def _pixel(picture: Image.Image, at: tuple[int, int]) -> tuple[int, ...]:
    pixel = picture.getpixel(at)
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


def _judged(target: Target, found: _Findings, growth_mib: float) -> list[str]:
    wrong = []
    if growth_mib > GROWTH_MIB:
        wrong.append(f"the server grew by {growth_mib:.1f} MiB")
    if kept := target.files_with(SECRET):
        wrong.append(f"a secret is kept in {kept[:3]}")
    if "Traceback" in target.log:
        wrong.append("a traceback in the log")
    return wrong
