"""A real server and clients that read nothing, say too much, or take for ever."""

from __future__ import annotations

import contextlib
import shutil
import socket
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

from chat.protocol import CloseCode
from tests.server.people import TIMEOUT_S, Person, Socket
from tests.server.processes import Product, resident_mib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 2**20
HALF_A_MIB = "x" * (MIB // 2)
LONG_TEXT = ("x" * 499 + " ") * 400  # words are tokens, and there are not too many
TCP_ESTABLISHED = 1
DRIP_S = 0.1


@pytest.fixture(scope="module")
def strict(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Serve with little patience."""
    folder = tmp_path_factory.mktemp("strict")
    environment = {
        "VL_SOCKET_STALL_S": "2",
        "VL_REQUEST_HEAD_S": "3",
        "VL_PERSON_FRAMES_PER_S": "60",
        "VL_UPLOAD_BYTES": str(MIB),
        "VL_BODIES_BYTES": str(6 * MIB),
        "VL_TEXT_CHARS": str(len(LONG_TEXT)),
    }
    product = Product(shutil.copytree(prepared, folder, dirs_exist_ok=True), environment)
    product.start()
    yield product
    product.close()


@pytest.fixture
def eve(strict: Product) -> Person:
    """Have an account, and bad manners."""
    return Person(strict.url).sign_up("eve")


def code_of(caught: pytest.ExceptionInfo[ConnectionClosed]) -> int:
    """Give the code that the server closed with."""
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def call(product: Product, *, receive_bytes: int | None = None) -> socket.socket:
    """Open a plain connection, perhaps one that takes little at once."""
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(TIMEOUT_S)
    connection.connect(("127.0.0.1", product.port))
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the server ends the connection, gently or not."""
    found = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while piece := connection.recv(65_536):
            found += piece
    return found


def wait_for_the_end(connection: socket.socket) -> None:
    """Wait until the server has ended the connection; ask the kernel, since nothing is read."""
    deadline = monotonic() + TIMEOUT_S
    while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_ESTABLISHED:
        assert monotonic() < deadline, "it is still open"
        sleep(DRIP_S)


def ask_for_much(reader: Socket) -> None:
    """Have more sent than buffers hold on the way."""
    for _ in range(80):
        reader.send(type="ping", t="x" * 15_000)


def drip(connection: socket.socket, data: bytes) -> int:
    """Send byte by byte, with a pause after each, until the server ends it; count them."""
    for position in range(len(data)):
        try:
            connection.send(data[position : position + 1])
            if not connection.recv(1):
                return position
        except TimeoutError:  # the pause
            continue
        except ConnectionError:
            return position
    return len(data)


def test_a_reader_that_takes_nothing_is_closed_with_4408(strict: Product, eve: Person) -> None:
    slow = call(strict, receive_bytes=64 * 1024)
    with eve.connect(sock=slow, max_queue=1) as reader:
        reader.until("info")
        ask_for_much(reader)
        strict.log.wait_for("closed with 4408")
        with pytest.raises(ConnectionClosed) as caught:
            reader.read_to_the_end()

    assert code_of(caught) == CloseCode.TOO_SLOW


def test_a_flood_of_frames_is_closed_with_4429(eve: Person) -> None:
    with eve.connect() as flooding:
        with contextlib.suppress(ConnectionClosed):
            for number in range(5000):
                flooding.send(type="ping", t=number)
        with pytest.raises(ConnectionClosed) as caught:
            flooding.read_to_the_end()

    assert code_of(caught) == CloseCode.FLOODING


def test_a_flood_of_large_frames_is_closed_with_4429(eve: Person) -> None:
    with eve.connect() as flooding:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(50):
                flooding.send(type="open", conversation=HALF_A_MIB)
        with pytest.raises(ConnectionClosed) as caught:
            flooding.read_to_the_end()

    assert code_of(caught) == CloseCode.FLOODING


def how_it_ends(socket: Socket, *, last: int) -> int | None:
    """Give the code that the server closed with; None when it answered the last ping."""
    try:
        while socket.until("pong")["t"] != last:
            pass
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None
    return None


def test_all_sockets_of_a_person_share_a_budget(strict: Product, eve: Person) -> None:
    frames_each = 60  # of 90 that a socket may send at once, and 180 that a person may
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(eve.connect()) for _ in range(5)]
        other = stack.enter_context(Person(strict.url).sign_up("bob").connect())
        for number in range(frames_each):
            for each in (*sockets, other):
                with contextlib.suppress(ConnectionClosed):
                    each.send(type="ping", t=number)
        ends = [how_it_ends(each, last=frames_each - 1) for each in sockets]
        end_of_other = how_it_ends(other, last=frames_each - 1)

    assert CloseCode.FLOODING in ends
    assert set(ends) <= {CloseCode.FLOODING, None}
    assert end_of_other is None


def test_a_stalled_reader_keeps_nobody_else(strict: Product, eve: Person) -> None:
    slow = call(strict, receive_bytes=64 * 1024)
    with eve.connect(sock=slow, max_queue=1, close_timeout=0) as reader, eve.connect() as other:
        ask_for_much(reader)

        answer = other.answer("What is this?")

    assert "What is this?" in answer


def test_a_reader_of_events_that_takes_nothing_is_cut_off(strict: Product, eve: Person) -> None:
    asked = eve.post("/api/conversations/", json={"text": LONG_TEXT}).json()
    path = f"/api/replies/{asked['reply']}/events/"
    whole = eve.http.get(eve.url + path, timeout=TIMEOUT_S).content
    cookies = "; ".join(f"{name}={value}" for name, value in eve.http.cookies.items())
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\nCookie: {cookies}\r\n\r\n"
    with call(strict, receive_bytes=4096) as stalled:
        stalled.sendall(head.encode())
        wait_for_the_end(stalled)

    assert len(whole) > 2 * len(LONG_TEXT)


def test_a_head_of_a_byte_at_a_time_is_cut_off(strict: Product) -> None:
    with call(strict) as dripping:
        dripping.settimeout(DRIP_S)

        sent = drip(dripping, b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 1000)

    assert sent < 1000


def test_a_body_over_every_limit_is_refused_before_it_comes(strict: Product) -> None:
    with call(strict) as sending:
        sending.sendall(b"POST /api/images/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")

        answer = read_all(sending)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_many_large_bodies_at_once_cost_little_memory(strict: Product) -> None:
    """Whoever makes a session up gets past the server's own look at the head."""
    size = 3 * MIB - 1
    head = b"POST /api/images/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += b"Cookie: sessionid=made-up\r\nContent-Length: %d\r\n\r\n" % size
    assert strict.process is not None
    before_mib = resident_mib(strict.process.pid)
    highest_mib = before_mib
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(call(strict)) for _ in range(60)]
        for sender in senders:
            sender.sendall(head + b"x" * (size - 1))
        for sender in senders:
            sender.sendall(b"x")
        answers = []
        for sender in senders:
            answers.append(read_all(sender))
            highest_mib = max(highest_mib, resident_mib(strict.process.pid))

    assert {answer[:12] for answer in answers} <= {b"HTTP/1.1 400", b"HTTP/1.1 401"}
    assert highest_mib - before_mib <= 20


def test_an_endless_body_in_chunks_is_cut_off(strict: Product) -> None:
    piece = b"%x\r\n%s\r\n" % (MIB, b"x" * MIB)
    with call(strict) as sending:
        sending.sendall(
            b"POST /api/images/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        sent_mib = 0
        with contextlib.suppress(ConnectionError):
            while sent_mib < 100:
                sending.sendall(piece)
                sent_mib += 1

    assert sent_mib < 100
