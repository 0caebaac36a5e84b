"""Given texts are written by a real network, with drafts and without."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from inference.bench import measure_drafts
from inference.bench.repetitive_texts import make_writings
from inference.demo import WEIGHTS_DIR


def test_every_text_is_written_with_drafts_and_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--model", str(WEIGHTS_DIR), "--quantization", "fp32", "--threads", "1"]

    status = measure_drafts.main([*arguments, "--rounds", "2", "--tokens", "24"])

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    texts = figures["texts"]
    assert status == 0
    assert texts.keys() == make_writings().keys()
    assert all(ratio > 0 for ratio in texts.values())
    assert figures["repetitive"] == min(
        texts[name] for name, writing in make_writings().items() if writing.is_repetitive
    )
    assert figures["prose"] == texts["prose"]


def test_model_whose_tokenizer_is_not_ours_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in WEIGHTS_DIR.glob("*.json"):
        shutil.copy(file, tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()

    assert measure_drafts.main(["--model", str(tmp_path)]) == 2
    assert "tokenizer" in capsys.readouterr().out
