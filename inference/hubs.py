"""Where models are downloaded from: the Hugging Face hub and ModelScope, one protocol for both.

The hub libraries are imported when one is asked: a server with a folder as model never needs them.
"""

from __future__ import annotations

import logging
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from inference.backends.base import ReportProgress

logger = logging.getLogger(__name__)

REACH_TIMEOUT_S = 4.0
# What loading needs; leaves out pictures, videos and second copies of the weights in other formats.
WANTED_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")


class DownloadStopped(BaseException):
    """The service is closing; the download is given up and can be resumed later.

    Not an Exception: modelscope-hub answers every exception with another try, up to half a minute.
    """


class Hub(Protocol):
    """A place with models."""

    @property
    def name(self) -> str:
        """Return the place's name for log lines."""

    @property
    def endpoint(self) -> str:
        """Return the base address."""

    def find_cached(self, repo: str) -> Path | None:
        """Return the folder of an earlier download, maybe incomplete; never asks the network."""

    def download(self, repo: str, report: ReportProgress, stop: threading.Event) -> Path:
        """Return the folder of a whole download, reporting bytes.

        Raises:
            DownloadStopped: soon after `stop` was set.
            Exception: whatever the hub's library raises.
        """


class HuggingFaceHub:
    """The Hugging Face hub or a mirror of it, through huggingface_hub and its cache."""

    name = "Hugging Face"

    def __init__(self, endpoint: str, cache_dir: Path | None) -> None:
        """Use `endpoint`; `cache_dir` None is the library's own place (HF_HOME)."""
        self.endpoint = endpoint
        self._cache_dir = cache_dir

    def find_cached(self, repo: str) -> Path | None:
        """Return the newest snapshot in the cache, or None."""
        from huggingface_hub import snapshot_download  # seconds to import, see above
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            found = snapshot_download(
                repo,
                cache_dir=self._cache_dir,
                allow_patterns=list(WANTED_FILES),
                local_files_only=True,
            )
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError):
            return None
        return Path(found)

    def download(self, repo: str, report: ReportProgress, stop: threading.Event) -> Path:
        """Download into the cache; resumes what an earlier try left."""
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.hf_api import RepoFile

        entries = HfApi(endpoint=self.endpoint).list_repo_tree(repo)
        total = sum(
            entry.size
            for entry in entries
            if isinstance(entry, RepoFile) and _is_wanted(entry.path)
        )
        report(0, total)
        folder = snapshot_download(
            repo,
            endpoint=self.endpoint,
            cache_dir=self._cache_dir,
            allow_patterns=list(WANTED_FILES),
            tqdm_class=_make_bar_class(report, total, stop),
        )
        return Path(folder)


class ModelScopeHub:
    """ModelScope, for people who cannot reach the other; through modelscope-hub and its cache."""

    name = "ModelScope"

    def __init__(self, endpoint: str, cache_dir: Path | None) -> None:
        """Use `endpoint`; `cache_dir` None is the library's own place."""
        self.endpoint = endpoint
        self._cache_dir = cache_dir

    def find_cached(self, repo: str) -> Path | None:
        """Return the folder of an earlier download.

        None where there is none, or the library is not installed.
        """
        try:
            from modelscope_hub import HubApi
            from modelscope_hub.errors import HubError
        except ImportError:
            return None
        try:
            return HubApi(endpoint=self.endpoint).download_repo(
                repo, "model", cache_dir=self._cache_dir, local_files_only=True
            )
        except (HubError, OSError, ValueError):
            return None

    def download(self, repo: str, report: ReportProgress, stop: threading.Event) -> Path:
        """Download into the cache."""
        from modelscope_hub import HubApi, ProgressCallback

        api = HubApi(endpoint=self.endpoint)
        files = api.list_repo_files(repo, "model")
        counter = _ByteCounter(report, sum(f.size or 0 for f in files if _is_wanted(f.path)), stop)

        class Counting(ProgressCallback):
            """Adds a file's bytes to the download's."""

            def update(self, size: int) -> None:
                """Count `size` more bytes."""
                counter.add(size)

        return api.download_repo(
            repo,
            "model",
            cache_dir=self._cache_dir,
            allow_patterns=list(WANTED_FILES),
            progress_callbacks=[Counting],
        )


def is_reachable(endpoint: str, timeout_s: float = REACH_TIMEOUT_S) -> bool:
    """Say whether the address answers at all, within `timeout_s` even when the name look-up hangs.

    Asks through the system's proxies, as the download will. Any HTTP answer counts, and so does a
    certificate that this check does not trust: the hub's library has its own certificates and
    reports the real reason.
    """
    answer = threading.Event()

    def ask() -> None:
        try:
            # The address is an operator's setting.
            request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310
            with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
                answer.set()
        except urllib.error.HTTPError:
            answer.set()
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):
                answer.set()
        except (OSError, ValueError):
            pass
        finally:
            done.set()

    done = threading.Event()
    # A name look-up cannot be interrupted, so it gets a thread that may be left behind.
    threading.Thread(target=ask, name="inference-network-check", daemon=True).start()
    done.wait(timeout_s)
    return answer.is_set()


def are_reachable(endpoints: Iterable[str], timeout_s: float = REACH_TIMEOUT_S) -> list[bool]:
    """Ask all addresses at the same time and return the answers in order, within `timeout_s`."""
    endpoints = list(endpoints)
    answers = [False] * len(endpoints)

    def ask(index: int, endpoint: str) -> None:
        answers[index] = is_reachable(endpoint, timeout_s)

    threads = [
        threading.Thread(target=ask, args=pair, daemon=True) for pair in enumerate(endpoints)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class _ByteCounter:
    """Adds up bytes from several threads, reports the sum, stops when the service closes.

    Raises `DownloadStopped` in the thread that downloads.
    """

    def __init__(self, report: ReportProgress, total: int, stop: threading.Event) -> None:
        self._report = report
        self._total = total
        self._stop = stop
        self._lock = threading.Lock()
        self._done = 0

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            done = self._done
        if self._stop.is_set():
            raise DownloadStopped
        self._report(min(done, self._total), self._total)


def _make_bar_class(report: ReportProgress, total: int, stop: threading.Event) -> type:
    """Return a progress bar class that draws nothing and reports the bytes on disk."""
    from tqdm.std import tqdm  # type: ignore[import-untyped]

    counter = _ByteCounter(report, total, stop)

    class SilentBar(tqdm):  # type: ignore[misc]  # tqdm has no types
        """Counts the bar that the library calls 'reconstructing': bytes that are on disk."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            self._is_bytes = str(kwargs.get("desc", "")).startswith("Reconstruct")
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> bool | None:
            """Count `n` more."""
            self.n += n or 0
            if self._is_bytes and n:
                counter.add(int(n))
            return None

        def display(self, *args: object, **kwargs: object) -> None:
            """Draw nothing."""

    return SilentBar


def _is_wanted(path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in WANTED_FILES)
