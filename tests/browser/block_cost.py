"""What rendering an answer block by block costs the server: python -m tests.browser.block_cost.

The page's own modules (in node, with a clock that is told the time) ask for parts of a text as it
comes, 100 characters a second; each is rendered here as the server does. Prints, for each kind of
text, the processor time of all calls, that of rendering the whole text once, and how many calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from chat.rendering import render, render_complete
from tests.browser.long_answer import CHARS, SENTENCE, TEXTS

PIECE_CHARS = 10
PIECE_MS = 100
LISTS = {
    "a list": f"- {SENTENCE}\n" * 300,
    "a list with blank lines": f"1. {SENTENCE}\n\n" * 300,
    "steps with code": "1. First\n\n   ```sh\n   ls\n   ```\n\n" * 700,
    "lines with open mathematics": "\\begin{align}\n\n" + f"{SENTENCE}\n\n" * 300,
}
ROUNDS = 5


def parts_asked(text: str) -> list[str]:
    """Let the page ask while the text is written; give what it asks to be rendered."""
    with subprocess.Popen(
        ["node", "tests/js/answer_played.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as page:
        assert page.stdin is not None
        assert page.stdout is not None

        def tell(value: dict[str, Any]) -> None:
            page.stdin.write(json.dumps(value) + "\n")  # type: ignore[union-attr]  # checked above
            page.stdin.flush()  # type: ignore[union-attr]

        tell({"text": text, "piece_chars": PIECE_CHARS, "piece_ms": PIECE_MS})
        parts = []
        for line in page.stdout:
            asked = json.loads(line)
            if asked is None:
                break
            parts.append(text[asked["offset"] : asked["until"]])
            chars, html = render_complete(parts[-1])
            tell({"offset": asked["offset"], "end": asked["offset"] + chars, "html": html})
    return parts


def processor_ms(texts: list[str], draw: Any) -> float:
    """Measure the fastest of some rounds over all the texts."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for text in texts:
            draw(text)
        rounds.append(time.process_time() - began)
    return 1000 * min(rounds)


def main() -> None:
    """Measure each kind of text."""
    for name, endless in {**TEXTS, **LISTS}.items():
        text = endless[:CHARS]
        parts = parts_asked(text)
        blocks_ms = processor_ms(parts, render_complete)
        whole_ms = processor_ms([text], render)
        told = {
            "calls": len(parts),
            "blocks_ms": round(blocks_ms, 1),
            "whole_ms": round(whole_ms, 1),
        }
        told["share"] = round(blocks_ms / whole_ms, 2)
        sys.stdout.write(json.dumps({name: told}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
