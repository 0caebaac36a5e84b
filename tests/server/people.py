"""People with programs of their own: plain HTTP and a plain WebSocket client."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.names import new_name
from tests.server.processes import PASSWORD

TIMEOUT_S = 20.0
Frame = dict[str, Any]


def data_url(picture: bytes) -> str:
    """Write a PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()


class Person:
    """Somebody with an account, signed in over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = ""
        self.http = requests.Session()

    def sign_up(self, name: str) -> Person:
        """Make an account, by the form; the name gets a number that makes it new."""
        self.name = new_name(name)
        form = {"username": self.name, "email": "", "password1": PASSWORD, "password2": PASSWORD}
        return self._send_form("/accounts/signup/", form)

    def sign_in(self, name: str) -> Person:
        """Sign in, by the form."""
        self.name = name
        return self._send_form("/accounts/login/", {"login": name, "password": PASSWORD})

    def upload(self, picture: bytes) -> str:
        """Upload a picture; give its id."""
        response = self.post("/api/images/", files={"file": ("p.png", picture, "image/png")})
        assert response.status_code == 201, response.text
        image_id: str = response.json()["id"]
        return image_id

    def post(self, path: str, **content: Any) -> requests.Response:
        """Post `json` or `files`, as this site's own page does."""
        headers = {"X-CSRFToken": str(self.http.cookies["csrftoken"]), "Origin": self.url}
        return self.http.post(self.url + path, headers=headers, timeout=TIMEOUT_S, **content)

    def follow(self, reply_id: str, *, last_event_id: int | None = None) -> EventStream:
        """Open a reply's events."""
        headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        return EventStream(
            self.http.get(
                f"{self.url}/api/replies/{reply_id}/events/",
                headers=headers,
                stream=True,
                timeout=TIMEOUT_S,
            )
        )

    def connect(self, *, origin: str | None = None, **options: Any) -> Socket:
        """Open a socket, from this site's own page by default; options are websockets'."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        return Socket(
            connect(
                self.url.replace("http", "ws", 1) + "/ws/chat/",
                origin=Origin(origin or self.url),
                additional_headers={"Cookie": cookies} if cookies else {},
                open_timeout=TIMEOUT_S,
                max_size=None,
                **options,
            )
        )

    def _send_form(self, path: str, form: dict[str, str]) -> Person:
        self.http.get(self.url + path, timeout=TIMEOUT_S).raise_for_status()
        token = {"csrfmiddlewaretoken": self.http.cookies["csrftoken"]}
        self.http.post(self.url + path, data=form | token, timeout=TIMEOUT_S).raise_for_status()
        assert "sessionid" in self.http.cookies
        return self


@dataclass(frozen=True, slots=True)
class Event:
    """One Server-Sent Event: its name, its id, and its data as a frame."""

    name: str
    id: int
    frame: Frame


class EventStream:
    """Server-Sent Events of one answer, read within a `with` block."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response

    def __enter__(self) -> EventStream:
        """Begin to read."""
        return self

    def __exit__(self, *error: object) -> None:
        """Go away, whether or not it has ended."""
        self.response.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield each event as it comes; comments and the retry time are skipped."""
        fields: dict[str, str] = {}
        for raw in self.response.iter_lines(chunk_size=1):
            if line := raw.decode():
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
                fields = {}

    def read_text(self, text: str = "") -> tuple[str, Event]:
        """Append partials at their offsets, to the end of the stream; give the last event too."""
        for event in self:
            if event.name == "partial":
                assert event.frame["offset"] == len(text)
                text += event.frame["content"]
                assert event.id == len(text)
        return text, event


class Socket:
    """A WebSocket, open within a `with` block, spoken in frames."""

    connection: ClientConnection

    def __init__(self, opening: AbstractContextManager[ClientConnection]) -> None:
        self._opening = opening

    def __enter__(self) -> Socket:
        """Open it."""
        self.connection = self._opening.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Close it."""
        self._opening.__exit__(*error)

    def send(self, **frame: Any) -> None:
        """Send one frame."""
        self.connection.send(json.dumps(frame))

    def receive(self, timeout_s: float = TIMEOUT_S) -> Frame:
        """Receive the next frame."""
        frame: Frame = json.loads(self.connection.recv(timeout=timeout_s))
        return frame

    def until(self, *types: str) -> Frame:
        """Skip to the next frame of one of these types."""
        while True:
            frame = self.receive()
            if frame["type"] in types:
                return frame

    def read_to_the_end(self) -> None:
        """Receive until the server closes; raises `ConnectionClosed` then."""
        while True:
            self.receive()

    def ask(self, text: str, **fields: Any) -> Frame:
        """Start a turn; give its `accepted`."""
        self.send(type="message", text=text, **fields)
        accepted = self.until("accepted", "error")
        assert accepted["type"] == "accepted", accepted
        return accepted

    def read_reply(self, reply_id: str, text: str = "") -> tuple[str, Frame]:
        """Append what comes, as a client does, to the reply's end."""
        while True:
            frame = self.until("partial", "final", "error")
            if frame.get("reply") != reply_id:
                continue
            if frame["type"] != "partial":
                return text, frame
            assert frame["offset"] == len(text)
            text += frame["content"]

    def read_words(self, reply_id: str, count: int) -> str:
        """Read a reply until it has so many words."""
        text = ""
        while len(text.split()) <= count:
            frame = self.until("partial")
            if frame["reply"] == reply_id:
                text += frame["content"]
        return text

    def answer(self, text: str, **fields: Any) -> str:
        """Ask, and give the whole answer."""
        _, final = self.read_reply(self.ask(text, **fields)["reply"])
        assert final["type"] == "final", final
        content: str = final["content"]
        return content
