"""Frames by chance against a real server: each is answered, no traceback, flat memory.

`RANDOM_FRAMES` says how many; `make attack` sends 10,000.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.protocol import CLIENT_FRAME_TYPES
from tests.server.people import Person, Socket
from tests.server.processes import Product, resident_mib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAMES = int(os.environ.get("RANDOM_FRAMES", "1000"))
A_BATCH = 25  # frames between two looks whether the server still answers
GROWTH_MIB = 24  # what caches and allocators take over so many frames
FIELDS = (
    "text", "images", "image", "conversation", "parent", "id", "options", "reply", "message",
    "seen", "offset", "t",
)  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.uuids().map(str)
    | st.just("data:image/png;base64,AAAA")
    | st.just("x" * 9000)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
shaped = st.fixed_dictionaries(
    {"type": st.sampled_from(CLIENT_FRAME_TYPES) | st.text(max_size=10)},
    optional=dict.fromkeys(FIELDS, values),
).map(json.dumps)
texts = shaped | values.map(json.dumps) | st.text(max_size=200)
frames = st.lists(texts | st.binary(max_size=60), min_size=A_BATCH, max_size=A_BATCH)


@pytest.fixture(scope="module")
def target(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Serve without a bound on how many frames come."""
    import shutil

    folder = tmp_path_factory.mktemp("frames")
    product = Product(
        shutil.copytree(prepared, folder, dirs_exist_ok=True), {"VL_SOCKET_FRAMES_PER_S": "10000"}
    )
    product.start()
    yield product
    product.close()


@pytest.fixture(scope="module")
def socket(target: Product) -> Iterator[Socket]:
    with Person(target.url).sign_up("mallory").connect() as open_socket:
        open_socket.until("info")
        yield open_socket


def memory_mib(product: Product) -> float:
    """Give what of the server is in memory."""
    assert product.process is not None
    return resident_mib(product.process.pid)


def send_all(socket: Socket, batch: list[Any]) -> None:
    """Send them, and wait until the server has answered what came after them."""
    for content in batch:
        socket.connection.send(
            content if isinstance(content, bytes) else content.encode(errors="replace").decode()
        )
    socket.send(type="ping", t="alive?")
    while socket.until("pong").get("t") != "alive?":
        pass


# Hypothesis warns of large batches, and of the numbers that the client's own thread draws.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_any_frames_are_answered_without_a_traceback(target: Product, socket: Socket) -> None:
    before: list[float] = []

    @settings(
        max_examples=max(1, FRAMES // A_BATCH),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(batch=frames)
    def hammer(batch: list[Any]) -> None:
        send_all(socket, batch)
        if not before:  # the first batch has warmed everything up
            before.append(memory_mib(target))

    hammer()

    target.log.check_no_traceback()
    assert memory_mib(target) - before[0] <= GROWTH_MIB
