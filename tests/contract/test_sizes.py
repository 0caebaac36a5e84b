"""Modules stay small enough to be read in one go."""

from __future__ import annotations

import pytest

from tests.contract.documents import ROOT, read

PYTHON_LINES = 350
SCRIPT_LINES = 220
# Each exception with its reason; it may not grow past the number without another look.
LARGER = {
    "chat/protocol.py": 400,  # the whole wire contract, to be read beside docs/protocol.md
    "chat/static/chat/js/conversation_state.js": 240,  # one reducer: every frame, every state
    "chat/static/chat/js/conversation.js": 285,  # what binds the state to the page
}


def modules(ending: str, *folders: str) -> list[str]:
    """List our own modules."""
    return sorted(
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob(f"*{ending}")
        if "migrations" not in path.parts
    )


PYTHON = modules(".py", "chat", "inference", "vlsite")
SCRIPTS = modules(".js", "chat/static/chat/js")


@pytest.mark.parametrize(
    ("module", "limit"),
    [
        *(pytest.param(module, PYTHON_LINES, id=module) for module in PYTHON),
        *(pytest.param(module, SCRIPT_LINES, id=module) for module in SCRIPTS),
    ],
)
def test_a_module_is_not_too_long(module: str, limit: int) -> None:
    assert len(read(module).splitlines()) <= LARGER.get(module, limit)


@pytest.mark.parametrize("module", LARGER)
def test_an_exception_is_still_needed(module: str) -> None:
    limit = PYTHON_LINES if module.endswith(".py") else SCRIPT_LINES

    assert len(read(module).splitlines()) > limit
