"""Downloading through the hubs' own libraries, from a local server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from inference.config import DEFAULT_MODEL, Dtype, InferenceConfig
from inference.hubs import (
    DownloadStopped,
    Hub,
    HuggingFaceHub,
    ModelScopeHub,
    is_reachable,
)
from inference.model_folder import check_model_folder
from inference.requests import Finished, SamplingOptions
from inference.service import InferenceService, Phase
from inference.testing import make_request, read_events
from tests.inference.fake_hub_server import FakeHubServer, serve_model

REPO = "owner/tiny"


@pytest.fixture
def server(tiny_folder: Path) -> Iterator[FakeHubServer]:
    """Return a running server that has the model."""
    with serve_model(tiny_folder, REPO) as server:
        yield server


@pytest.fixture(autouse=True)
def local_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the libraries talk to the local server, though the test run itself is offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture(params=["hugging-face", "modelscope"])
def hub(request: pytest.FixtureRequest, server: FakeHubServer, tmp_path: Path) -> Hub:
    """Return each hub in turn, with the local server as endpoint and a fresh cache."""
    if request.param == "hugging-face":
        return HuggingFaceHub(server.url, tmp_path / "cache")
    pytest.importorskip("modelscope_hub", reason="the extra 'modelscope' is not installed")
    return ModelScopeHub(server.url, tmp_path / "cache")


def test_download_is_whole_and_found_again(hub: Hub) -> None:
    reports: list[tuple[int, int]] = []

    folder = hub.download(REPO, lambda done, total: reports.append((done, total)), _never())

    check_model_folder(folder)
    assert hub.find_cached(REPO) == folder
    assert reports[-1][0] == reports[-1][1] > 0


def test_reported_bytes_only_grow(hub: Hub) -> None:
    done: list[int] = []

    hub.download(REPO, lambda bytes_done, total: done.append(bytes_done), _never())

    assert done == sorted(done)


def test_second_download_fetches_no_weights(hub: Hub, server: FakeHubServer) -> None:
    hub.download(REPO, lambda *_: None, _never())
    server.fetched.clear()

    hub.download(REPO, lambda *_: None, _never())

    assert "model.safetensors" not in server.fetched


def test_nothing_is_found_in_an_empty_cache(hub: Hub) -> None:
    assert hub.find_cached(REPO) is None


def test_unknown_model_is_an_error(hub: Hub) -> None:
    with pytest.raises(Exception, match=r".+"):
        hub.download("owner/other", lambda *_: None, _never())


def test_stopped_download_breaks_off(hub: Hub) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(DownloadStopped):
        hub.download(REPO, lambda *_: None, stop)


def test_server_that_answers_is_reachable(server: FakeHubServer) -> None:
    assert is_reachable(server.url)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "nonsense", "http://name.invalid"])
def test_address_without_a_server_is_not_reachable(address: str) -> None:
    assert not is_reachable(address)


def test_silent_server_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = monotonic()

        assert not is_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2)

        assert monotonic() - began < 2


@pytest.mark.parametrize("down", ["none", "hugging-face"])
def test_service_downloads_from_the_first_hub_that_is_up_and_exchanges_the_demo(
    tiny_folder: Path, tmp_path: Path, down: str
) -> None:
    with serve_model(tiny_folder, DEFAULT_MODEL) as server:
        config = InferenceConfig(
            dtype=Dtype.FP32,
            threads=1,
            hub_endpoint="http://127.0.0.1:1" if down == "hugging-face" else server.url,
            modelscope_endpoint=server.url,
            cache_dir=tmp_path / "hugging-face",
            modelscope_cache_dir=tmp_path / "modelscope",
            demo_dir=tiny_folder,
        )
        service = InferenceService(config)
        exchanged = threading.Event()
        service.add_listener(lambda s: exchanged.set() if s.model == DEFAULT_MODEL else None)
        service.start()
        try:
            assert exchanged.wait(60)
            assert service.wait_ready(60)
            options = SamplingOptions(max_tokens=2)
            last = read_events(service.submit(make_request(options=options)))[-1]
        finally:
            service.close()

    assert isinstance(last, Finished)
    assert (last.model, last.demo) == (DEFAULT_MODEL, False)


def test_service_keeps_the_demo_when_both_hubs_are_down(tiny_folder: Path, tmp_path: Path) -> None:
    config = InferenceConfig(
        dtype=Dtype.FP32,
        threads=1,
        hub_endpoint="http://127.0.0.1:1",
        modelscope_endpoint="http://127.0.0.1:1",
        cache_dir=tmp_path / "hugging-face",
        modelscope_cache_dir=tmp_path / "modelscope",
        demo_dir=tiny_folder,
    )
    service = InferenceService(config)
    decided = threading.Event()
    service.add_listener(lambda s: decided.set() if "no connection" in s.message else None)
    service.start()
    try:
        assert service.wait_ready(60)
        assert decided.wait(5)
        assert (service.state.phase, service.state.demo) == (Phase.READY, True)
        assert service.state.upcoming is None
    finally:
        service.close()


def _never() -> threading.Event:
    return threading.Event()
