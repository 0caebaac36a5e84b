"""The process from which the process of each picture is forked: `-m chat.decoding.fork_server`.

Its standard input is a Unix socket. Each message on it carries, in one byte of seconds, how long
the picture may take, and a connection, on which the child speaks (`exchange`); the byte goes back
once the child is there. The decoders are loaded once, here, so a child costs milliseconds; but this
process never reads a picture. A child that outlives its time is killed. It ends when the server
closes the socket.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from chat.decoding import document, exchange, picture
from chat.decoding.confinement import KEPT_DESCRIPTORS, confine
from chat.errors import ChatError, ErrorCode

if TYPE_CHECKING:
    from typing import NoReturn

log = logging.getLogger(__name__)


class ForkServer:
    """Forks children, and ends those that take too long."""

    def __init__(self, control: socket.socket) -> None:
        """Listen on `control`."""
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._deadlines: dict[int, float] = {}  # by the descriptor of a child

    def run(self) -> None:
        """Serve until the other end of the control socket is closed."""
        while True:
            for key, _ in self._selector.select(self._time_left()):
                if key.fileobj is not self._control:
                    self._bury(key.fd)
                elif not self._serve():
                    return
            self._kill_overdue()

    def _time_left(self) -> float | None:
        if not self._deadlines:
            return None
        return max(0.0, min(self._deadlines.values()) - time.monotonic())

    def _serve(self) -> bool:
        message, descriptors, *_ = socket.recv_fds(self._control, 1, 1)
        if not message:
            return False
        (connection,) = descriptors
        child = os.fork()
        if child == 0:
            _be_the_child(connection)
        os.close(connection)
        descriptor = os.pidfd_open(child)
        self._deadlines[descriptor] = time.monotonic() + message[0]
        self._selector.register(descriptor, selectors.EVENT_READ)
        self._control.send(message)
        return True

    def _bury(self, descriptor: int) -> None:
        ended = os.waitid(os.P_PIDFD, descriptor, os.WEXITED)
        if ended is not None and ended.si_status != 0:
            log.warning("The process of a picture ended with %d", ended.si_status)
        self._selector.unregister(descriptor)
        self._deadlines.pop(descriptor)
        os.close(descriptor)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for descriptor, deadline in self._deadlines.items():
            if deadline <= now:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _be_the_child(connection: int) -> NoReturn:
    """Answer on the connection and end, whatever happens."""
    status = 1
    try:
        _keep_only(connection)
        with socket.socket(fileno=0) as both, both.makefile("rwb") as stream:
            order = exchange.read_order(stream)
            confine(memory_bytes=order.memory_bytes, cpu_s=order.cpu_s)
            _answer(stream, order)
        status = 0
    finally:
        os._exit(status)


def _keep_only(connection: int) -> None:
    os.dup2(connection, 0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    os.closerange(KEPT_DESCRIPTORS, os.sysconf("SC_OPEN_MAX"))


def _answer(stream: exchange.Stream, order: exchange.Order) -> None:
    content = stream.read()
    try:
        answer = _carry_out(order, content)
    except MemoryError:
        exchange.write_refusal(stream, _too_much_memory(order))
    except ChatError as error:
        exchange.write_refusal(stream, error)
    else:
        if isinstance(answer, picture.DecodedPicture):
            exchange.write_picture(stream, answer)
        else:
            exchange.write_page_sizes(stream, answer)


def _carry_out(
    order: exchange.Order, content: bytes
) -> picture.DecodedPicture | exchange.PageSizes:
    if order.task == exchange.Task.PICTURE:
        return picture.decode(content, max_pixels=order.max_pixels, thumbnail_px=order.thumbnail_px)
    with document.opened(content, max_pages=order.max_pages) as pages:
        if order.task == exchange.Task.PAGE_SIZES:
            return document.page_sizes(pages, max_pixels=order.max_pixels)
        return document.render_page(
            pages, order.page, max_pixels=order.max_pixels, thumbnail_px=order.thumbnail_px
        )


def _too_much_memory(order: exchange.Order) -> ChatError:
    if order.task != exchange.Task.PICTURE:
        return ChatError(ErrorCode.DOCUMENT_UNREADABLE)
    safe = order.memory_bytes / picture.SAFE_BYTES_A_PIXEL / 1e6
    return ChatError(ErrorCode.IMAGE_TOO_LARGE, limit=f"{safe:.0f} MP")


def main() -> None:
    """Run on standard input."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    with socket.socket(fileno=sys.stdin.fileno()) as control:
        ForkServer(control).run()


if __name__ == "__main__":
    main()
