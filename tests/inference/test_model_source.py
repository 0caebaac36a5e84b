"""Which model answers: cache before network, Hugging Face before ModelScope, demo last."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from inference import model_source
from inference.backends.base import ReportProgress
from inference.config import DEFAULT_MODEL, InferenceConfig
from inference.errors import ErrorCode, InferenceError
from inference.hubs import DownloadStopped
from inference.model_source import HubModelSource


class FakeHub:
    """A hub that is up or down, with or without the model."""

    def __init__(self, name: str, endpoint: str, folder: Path | None = None) -> None:
        self.name = name
        self.endpoint = endpoint
        self.folder = folder
        self.cached: Path | None = None
        self.asked = 0

    def find_cached(self, repo: str) -> Path | None:
        return self.cached

    def download(self, repo: str, report: ReportProgress, stop: threading.Event) -> Path:
        self.asked += 1
        if stop.is_set():
            raise DownloadStopped
        if self.folder is None:
            raise OSError("503 Service Unavailable")
        report(10, 10)
        return self.folder


@pytest.fixture
def up() -> Iterator[str]:
    """Return the address of something that answers, if only with nonsense."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer_nonsense, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def down() -> str:
    """Return an address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def _answer_nonsense(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def fetch(source: HubModelSource) -> Path | None:
    return source.fetch(lambda done, total: None, threading.Event()).folder


def test_folder_is_used_as_it_is(tiny_folder: Path) -> None:
    files = HubModelSource(InferenceConfig(model=str(tiny_folder))).find_local()

    assert files is not None
    assert (files.name, files.folder, files.demo) == ("tiny", tiny_folder, False)


@pytest.mark.parametrize("name", ["/no/such/folder", "./model", "~/model", "one", "a/b/c"])
def test_missing_folder_is_an_error_and_no_download(name: str) -> None:
    source = HubModelSource(InferenceConfig(model=name))

    with pytest.raises(InferenceError) as caught:
        source.find_local()

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE


def test_cached_model_is_found_without_a_network(tiny_folder: Path, down: str) -> None:
    first, second = FakeHub("one", down), FakeHub("two", down)
    second.cached = tiny_folder

    files = HubModelSource(InferenceConfig(), hubs=[first, second]).find_local()

    assert files is not None
    assert (files.name, files.folder) == (DEFAULT_MODEL, tiny_folder)


def test_incomplete_cache_does_not_count_as_found(tmp_path: Path, down: str) -> None:
    hub = FakeHub("one", down)
    hub.cached = tmp_path

    assert HubModelSource(InferenceConfig(), hubs=[hub]).find_local() is None


def test_demo_stands_in_when_nobody_chose_a_model(tiny_folder: Path) -> None:
    files = HubModelSource(InferenceConfig(demo_dir=tiny_folder), hubs=[]).find_stand_in()

    assert files is not None
    assert (files.folder, files.demo) == (tiny_folder, True)


def test_demo_never_stands_in_for_a_chosen_model(tiny_folder: Path) -> None:
    config = InferenceConfig(model="owner/model", demo_dir=tiny_folder)

    assert HubModelSource(config, hubs=[]).find_stand_in() is None


def test_missing_demo_is_no_stand_in(tmp_path: Path) -> None:
    config = InferenceConfig(demo_dir=tmp_path / "none")

    assert HubModelSource(config, hubs=[]).find_stand_in() is None


def test_first_hub_is_asked_first(tiny_folder: Path, up: str) -> None:
    hubs = [FakeHub("one", up, tiny_folder), FakeHub("two", up, tiny_folder)]

    assert fetch(HubModelSource(InferenceConfig(), hubs=hubs)) == tiny_folder

    assert [hub.asked for hub in hubs] == [1, 0]


def test_second_hub_is_asked_when_the_first_is_down(tiny_folder: Path, up: str, down: str) -> None:
    hubs = [FakeHub("one", down, tiny_folder), FakeHub("two", up, tiny_folder)]

    assert fetch(HubModelSource(InferenceConfig(), hubs=hubs)) == tiny_folder

    assert [hub.asked for hub in hubs] == [0, 1]


def test_second_hub_is_asked_when_the_first_fails(tiny_folder: Path, up: str) -> None:
    hubs = [FakeHub("one", up), FakeHub("two", up, tiny_folder)]

    assert fetch(HubModelSource(InferenceConfig(), hubs=hubs)) == tiny_folder


def test_second_hub_is_asked_when_the_first_gives_a_broken_model(
    tiny_folder: Path, tmp_path: Path, up: str
) -> None:
    hubs = [FakeHub("one", up, tmp_path), FakeHub("two", up, tiny_folder)]

    assert fetch(HubModelSource(InferenceConfig(), hubs=hubs)) == tiny_folder


def test_no_network_is_decided_within_five_seconds(down: str) -> None:
    # An address of the documentation's network: connections hang until the timeout.
    hubs = [FakeHub("one", down), FakeHub("two", "http://192.0.2.1")]
    began = monotonic()

    with pytest.raises(InferenceError) as caught:
        fetch(HubModelSource(InferenceConfig(), hubs=hubs))

    assert monotonic() - began < 5
    assert caught.value.retryable
    assert "connection" in caught.value.message


def test_offline_switch_asks_nobody(up: str, tiny_folder: Path) -> None:
    hub = FakeHub("one", up, tiny_folder)

    with pytest.raises(InferenceError, match="HF_HUB_OFFLINE"):
        fetch(HubModelSource(InferenceConfig(hub_offline=True), hubs=[hub]))

    assert hub.asked == 0


def test_stopped_download_is_retryable(up: str, tiny_folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    source = HubModelSource(InferenceConfig(), hubs=[FakeHub("one", up, tiny_folder)])

    with pytest.raises(InferenceError) as caught:
        source.fetch(lambda done, total: None, stop)

    assert caught.value.retryable


def test_bundled_demo_lies_beside_the_code() -> None:
    assert model_source.BUNDLED_DEMO_DIR.parts[-3:] == ("inference", "demo", "weights")
