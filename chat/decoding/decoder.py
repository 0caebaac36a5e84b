"""Decoding as the server sees it: bytes in, a clean picture or a refusal out. Documents too.

One fork server for each server process, started at the first picture and again whenever it is
gone. What it starts with is the code and nothing else: no environment, so no secrets. Threads may
call `decode` at once; more than `VL_DECODE_PROCESSES` wait for their turn.
"""

from __future__ import annotations

import atexit
import logging
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings

from chat.decoding.exchange import (
    BadAnswerError,
    Order,
    Task,
    read_answer,
    read_page_sizes,
    write_order,
)
from chat.errors import ChatError, ErrorCode
from chat.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from chat.decoding.exchange import PageSizes, Stream
    from chat.decoding.picture import DecodedPicture

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

# A re-encoded picture may be larger than its upload, but not by much more than this.
_ROOM_BYTES = 2**26
# For loading the decoders, on a busy machine.
_START_S = 60
# For the fork and for the answer's way back, beyond the time that the picture may take.
_GRACE_S = 5
_UNREADABLE = {
    Task.PICTURE: ErrorCode.IMAGE_UNREADABLE,
    Task.PAGE_SIZES: ErrorCode.DOCUMENT_UNREADABLE,
    Task.PAGE: ErrorCode.DOCUMENT_UNREADABLE,
}


class Decoder:
    """Keeps a fork server and talks to it."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = Lock()
        self._turns = BoundedSemaphore(settings.VL_DECODE_PROCESSES)
        self._shares = Shares("DECODE")
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Of the fork server, when one was started."""
        return self._process.pid if self._process else None

    def decode(self, content: bytes, *, owner_id: int | None = None) -> DecodedPicture:
        """Decode in a process of its own, in the time of its owner, if any is named.

        Blocks for up to `VL_DECODE_S` and the time the others before it take.

        Raises:
            ChatError: image_type_unsupported, image_too_large or image_unreadable; the last also
                for a picture that made its process fail or take too long. rate_limited where the
                owner's files took all that they may.
        """
        order = _order(max_pixels=settings.VL_IMAGE_PIXELS)
        return self._carry_out(order, content, _picture_reader(content), owner_id)

    def page_sizes(self, content: bytes, *, owner_id: int | None = None) -> PageSizes:
        """Look into a document as `decode` looks into a picture: the pixels of each page.

        Raises:
            ChatError: document_unreadable, document_locked, document_too_long or rate_limited.
        """
        order = _order(task=Task.PAGE_SIZES, max_pixels=settings.VL_PAGE_PIXELS)
        read = partial(read_page_sizes, max_pages=settings.VL_DOCUMENT_PAGES)
        return self._carry_out(order, content, read, owner_id)

    def page(
        self, content: bytes, number: int, *, max_pixels: int, owner_id: int | None = None
    ) -> DecodedPicture:
        """Render one page of a document, counted from 1, as `decode` decodes a picture.

        Raises:
            ChatError: document_unreadable, document_locked, document_too_long or rate_limited.
        """
        order = _order(task=Task.PAGE, max_pixels=max_pixels, page=number)
        return self._carry_out(order, content, _picture_reader(content), owner_id)

    def close(self) -> None:
        """End the fork server; pictures that are being decoded are refused."""
        with self._lock:
            self._end()

    def _carry_out(
        self, order: Order, content: bytes, read: Callable[[Stream], Answer], owner_id: int | None
    ) -> Answer:
        with self._turn_of(owner_id):
            try:
                return self._ask(order, content, read)
            except (BadAnswerError, OSError) as error:
                log.warning("A %s of %d bytes has no answer: %r", order.task, len(content), error)
                raise ChatError(_UNREADABLE[order.task]) from error

    @contextmanager
    def _turn_of(self, owner_id: int | None) -> Iterator[None]:
        """Wait for a turn; who has had their share gives it to others at once."""
        with self._turns:
            if owner_id is None:
                yield
                return
            self._shares.check(owner_id)
            began = monotonic()
            try:
                yield
            finally:
                self._shares.add(owner_id, monotonic() - began)

    def _ask(self, order: Order, content: bytes, read: Callable[[Stream], Answer]) -> Answer:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._hand_over(theirs)
            ours.settimeout(order.cpu_s + _GRACE_S)
            with ours.makefile("rwb") as stream:
                write_order(stream, order, content)
                ours.shutdown(socket.SHUT_WR)
                return read(stream)

    def _hand_over(self, connection: socket.socket) -> None:
        """Have a child forked that serves the connection; a dead fork server is replaced."""
        with self._lock:
            try:
                self._send(connection)
            except OSError:
                self._end()
                self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        control = self._control or self._start()
        socket.send_fds(control, [bytes([settings.VL_DECODE_S])], [connection.fileno()])
        if not control.recv(1):
            raise ConnectionResetError

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chat.decoding.fork_server"],
                stdin=theirs.fileno(),
                cwd=settings.BASE_DIR,
                env={"LANG": "C.UTF-8"},
            )
        ours.settimeout(_START_S)
        self._control = ours
        return ours

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None


def _order(**fields: Any) -> Order:
    return Order(
        thumbnail_px=settings.VL_THUMBNAIL_PX,
        memory_bytes=settings.VL_DECODE_BYTES,
        cpu_s=settings.VL_DECODE_S,
        max_pages=settings.VL_DOCUMENT_PAGES,
        **fields,
    )


def _picture_reader(content: bytes) -> Callable[[Stream], DecodedPicture]:
    return partial(read_answer, max_bytes=len(content) + _ROOM_BYTES)


decoder = Decoder()
atexit.register(decoder.close)
