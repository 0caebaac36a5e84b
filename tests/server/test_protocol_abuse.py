"""A real server and clients that break the WebSocket protocol: the right code, and no traceback.

After the cases of the Autobahn test suite. What is allowed, if seldom, is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.people import Person
from tests.server.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawSocket,
    frame,
    length,
)

if TYPE_CHECKING:
    from tests.server.processes import Product

MIB = 2**20
PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
HELLO = '{"type":"ping","t":"hällo"}'.encode()
CUT = HELLO.index(b"\xc3") + 1  # within the ä


@pytest.fixture(scope="module")
def eve(product: Product) -> Person:
    """Have an account, and a client of her own making."""
    return Person(product.url).sign_up("evesocket")


BROKEN = {
    "reserved bit 1": (frame(TEXT, HELLO, reserved=0x40), PROTOCOL_ERROR),
    "reserved bit 2": (frame(TEXT, HELLO, reserved=0x20), PROTOCOL_ERROR),
    "reserved bit 3": (frame(TEXT, HELLO, reserved=0x10), PROTOCOL_ERROR),
    "a data opcode nobody knows": (frame(3, HELLO), PROTOCOL_ERROR),
    "a control opcode nobody knows": (frame(11, HELLO), PROTOCOL_ERROR),
    "not masked": (frame(TEXT, HELLO, masked=False), PROTOCOL_ERROR),
    "a ping of 126 bytes": (frame(PING, b"x" * 126), PROTOCOL_ERROR),
    "a ping in pieces": (frame(PING, b"x", fin=False), PROTOCOL_ERROR),
    "a pong of 126 bytes": (frame(PONG, b"x" * 126), PROTOCOL_ERROR),
    "a continuation of nothing": (frame(CONTINUATION, HELLO), PROTOCOL_ERROR),
    "a message within another": (
        frame(TEXT, HELLO, fin=False) + frame(TEXT, HELLO),
        PROTOCOL_ERROR,
    ),
    "a length with its highest bit": (bytes([0x81, 0xFF]) + b"\xff" * 12, PROTOCOL_ERROR),
    "bytes that are no UTF-8": (frame(TEXT, b'{"type":"\xff"}'), NOT_UTF8),
    "no UTF-8 in the second piece": (
        frame(TEXT, HELLO[:5], fin=False) + frame(CONTINUATION, b"\xc3\x28"),
        NOT_UTF8,
    ),
    "a character written too long": (frame(TEXT, b"\xc0\xaf"), NOT_UTF8),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), NOT_UTF8),
    "a text that ends within a character": (frame(TEXT, HELLO[:CUT]), NOT_UTF8),
    "a head that promises 2 MiB": (b"\x81" + length(2 * MIB) + b"mask", TOO_BIG),
    "2 MiB in pieces of 64 KiB": (
        frame(TEXT, b"x" * 65_536, fin=False) + frame(CONTINUATION, b"x" * 65_536, fin=False) * 31,
        TOO_BIG,
    ),
    "2 MiB of nothing but heads": (
        frame(TEXT, b"", fin=False) + b"\x00" + length(2 * MIB) + b"mask",
        TOO_BIG,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_the_protocol_is_closed_with_its_code(eve: Person, case: str) -> None:
    sent, code = BROKEN[case]
    with RawSocket(eve) as raw:
        raw.until(TEXT, b'"info"')
        raw.send(sent)

        while (received := raw.receive()) is not None and received.opcode != CLOSE:
            pass

    assert received is not None
    assert received.close_code == code


# Nothing more is said to who says goodbye in a way that is none.
BAD_GOODBYES = {
    "a close of one byte": frame(CLOSE, b"\x03"),
    "close code 999": frame(CLOSE, (999).to_bytes(2, "big")),
    "close code 1005": frame(CLOSE, (1005).to_bytes(2, "big")),
    "close code 1006": frame(CLOSE, (1006).to_bytes(2, "big")),
    "close code 65535": frame(CLOSE, (65535).to_bytes(2, "big")),
    "a close reason that is no UTF-8": frame(CLOSE, b"\x03\xe8\xff\xff"),
    "a close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
}


@pytest.mark.parametrize("case", BAD_GOODBYES)
def test_a_goodbye_that_is_none_ends_the_connection(eve: Person, case: str) -> None:
    with RawSocket(eve) as raw:
        raw.until(TEXT, b'"info"')
        raw.send(BAD_GOODBYES[case])

        last = raw.receive()

    assert last is None or last.opcode == CLOSE


SELDOM = {
    "in pieces": frame(TEXT, HELLO[:5], fin=False) + frame(CONTINUATION, HELLO[5:]),
    "cut within a character": frame(TEXT, HELLO[:CUT], fin=False)
    + frame(CONTINUATION, HELLO[CUT:]),
    "a byte at a time": frame(TEXT, b"", fin=False)
    + b"".join(frame(CONTINUATION, bytes([byte]), fin=False) for byte in HELLO)
    + frame(CONTINUATION),
    "with a ping within": frame(TEXT, HELLO[:5], fin=False)
    + frame(PING, b"x" * 125)
    + frame(CONTINUATION, HELLO[5:]),
    "after a pong nobody asked for": frame(PONG, b"unasked") + frame(TEXT, HELLO),
    "after many pings": frame(PING) * 500 + frame(TEXT, HELLO),
    "after something binary": frame(BINARY, b"\xff\x00") + frame(TEXT, HELLO),
    "after an empty text": frame(TEXT) + frame(TEXT, HELLO),
}


@pytest.mark.parametrize("case", SELDOM)
def test_what_is_allowed_is_served(eve: Person, case: str) -> None:
    with RawSocket(eve) as raw:
        raw.until(TEXT, b'"info"')

        raw.send(SELDOM[case])

        assert "hällo" in raw.until(TEXT, b'"pong"').payload.decode()


@pytest.mark.parametrize("code", [1000, 1001, 1003, 3000, 4999])
def test_a_clean_goodbye_is_answered(eve: Person, code: int) -> None:
    with RawSocket(eve) as raw:
        raw.until(TEXT, b'"info"')
        raw.send(frame(CLOSE, code.to_bytes(2, "big") + b"bye"))

        answer = raw.receive()

    assert answer is not None
    assert answer.opcode == CLOSE


# Origins ------------------------------------------------------------------------------------

# `{port}` is the server's own; each of these is another place, or no origin at all.
FOREIGN = [
    b"Origin: https://evil.example",
    b"Origin: http://evil.example:{port}",
    b"Origin: https://127.0.0.1:{port}",
    b"Origin: http://127.0.0.1",
    b"Origin: http://127.0.0.1:80",
    b"Origin: http://127.0.0.1:1{port}",
    b"Origin: http://127.0.0.1:{port}0",
    b"Origin: http://127.0.0.1:{port}/",
    b"Origin: http://127.0.0.1:{port}/path",
    b"Origin: http://127.0.0.1:{port}?query",
    b"Origin: http://127.0.0.1:{port}#fragment",
    b"Origin: http://127.0.0.1:{port}.evil.example",
    b"Origin: http://127.0.0.1:{port}@evil.example",
    b"Origin: http://evil.example@127.0.0.1:{port}",
    b"Origin: http://127.0.0.1.evil.example:{port}",
    b"Origin: http://evil.127.0.0.1:{port}",
    b"Origin: HTTP://127.0.0.1:{port}",
    b"Origin: http:127.0.0.1:{port}",
    b"Origin: //127.0.0.1:{port}",
    b"Origin: 127.0.0.1:{port}",
    b"Origin: http:\\\\127.0.0.1:{port}",
    b"Origin: http://127.0.0.1\\:{port}",
    b"Origin: http://127.1:{port}",
    b"Origin: http://2130706433:{port}",
    b"Origin: http://0x7f.0.0.1:{port}",
    b"Origin: http://0.0.0.0:{port}",
    b"Origin: http://127.0.0.2:{port}",
    b"Origin: http://[::ffff:127.0.0.1]:{port}",
    b"Origin: http://LOCALHOST:{port}",
    b"Origin: http://localhost.:{port}",
    b"Origin: http://localhost%2e:{port}",
    b"Origin: http://loc\xc3\xa4lhost:{port}",
    b"Origin: http://127.0.0.1:{port}, http://evil.example",
    b"Origin: http://evil.example http://127.0.0.1:{port}",
    b"Origin: http://127.0.0.1:{port}\x00",
    b"Origin: ws://127.0.0.1:{port}",
    b"Origin: null",
    b"Origin: NULL",
    b"Origin: file://",
    b"Origin: data:text/html,x",
    b"Origin: chrome-extension://abcdefghijklmnop",
    b"Origin: *",
    b"Origin:",
    b"Origin: http://127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}",
    b"Origin: http://evil.example\r\nOrigin: http://127.0.0.1:{port}",
    b"Sec-WebSocket-Origin: http://evil.example\r\nOrigin: http://evil.example",
]


@pytest.mark.parametrize("line", FOREIGN, ids=lambda line: repr(line)[2:-1])
def test_a_page_from_elsewhere_gets_no_socket(product: Product, eve: Person, line: bytes) -> None:
    with RawSocket(eve, line.replace(b"{port}", str(product.port).encode())) as raw:
        assert raw.status in (400, 403)


OWN = [
    b"Origin: http://127.0.0.1:{port}",
    b"Origin: http://localhost:{port}",
    b"Origin: http://[::1]:{port}",
    b"origin:http://127.0.0.1:{port}",
    b"X-Nothing: no origin, as programs have none",
]


@pytest.mark.parametrize("line", OWN, ids=lambda line: repr(line)[2:-1])
def test_the_sites_own_pages_and_programs_do(product: Product, eve: Person, line: bytes) -> None:
    with RawSocket(eve, line.replace(b"{port}", str(product.port).encode())) as raw:
        assert raw.status == 101
