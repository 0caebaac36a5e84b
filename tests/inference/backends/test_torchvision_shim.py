"""torchvision is importable beside any torch, and its absence is named."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from inference.backends.torchvision_shim import ensure_torchvision
from inference.errors import ErrorCode, InferenceError


def test_torchvision_can_be_imported() -> None:
    ensure_torchvision()
    ensure_torchvision()

    import torchvision

    assert torchvision.__version__


def test_missing_torchvision_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(InferenceError, match="pip install") as caught:
        ensure_torchvision()

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE
    assert "torchvision" in sys.modules or caught.value.message
