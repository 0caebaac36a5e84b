"""docs/settings.md names exactly the variables that the code reads, with default and range."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from tests.contract.documents import ROOT, code, read, rows

READERS = {
    "text",
    "boolean",
    "integer",
    "number",
    "choice",
    "folder",
    "origin",
    "secret",
    "networks",
}
DOCUMENT = read("docs/settings.md")
DOCUMENTED = {code(row[0])[0]: row[1:] for row in rows(DOCUMENT)}


def read_by_the_code() -> dict[str, tuple[str, ast.Call]]:
    """Find every reader's call: the variable's name, the reader, and the call itself."""
    sources = [
        *(ROOT / "vlsite").glob("*settings.py"),
        *(ROOT / "chat/management/commands").glob("*.py"),
    ]
    found = {}
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            reader = node.func.attr
            is_env = isinstance(node.func.value, ast.Name) and node.func.value.id == "env"
            if is_env and reader in READERS | {"kept_secret"}:
                found[ast.literal_eval(node.args[0])] = (reader, node)
    return found


READ = read_by_the_code()


# What the document says of defaults that are no plain value in the code.
WORKED_OUT = {
    "DATABASE_URL": "SQLite in the data folder",
    "HF_ENDPOINT": "huggingface.co",
    "VL_DATA_DIR": "`data` beside manage.py",
    "VL_PUBLIC_URL": "`http://127.0.0.1:` and the port",
    "VL_SECRET_KEY": "made once",
    "VL_TRUSTED_PROXIES": "`loopback` with https, else `none`",
}


def default_of(call: ast.Call) -> Any:
    """Give a reader's default, where it is a plain value."""
    keywords = {word.arg: word.value for word in call.keywords}
    value = keywords.get("default", call.args[1] if len(call.args) > 1 else None)
    try:
        return "" if value is None else _plain(value)
    except ValueError:
        return None


def _plain(value: ast.expr) -> Any:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):  # 20 * 2**20
        return _plain(value.left) * _plain(value.right)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Pow):
        return _plain(value.left) ** _plain(value.right)
    return ast.literal_eval(value)


def test_every_variable_that_is_read_is_documented_and_the_other_way_round() -> None:
    assert sorted(DOCUMENTED) == sorted(READ)


def test_only_the_readers_look_at_the_environment() -> None:
    modules = [path for folder in ("chat", "vlsite") for path in (ROOT / folder).rglob("*.py")]
    lookers = {
        path.name
        for path in modules
        if re.search(r"os\.(environ\b(?!\.setdefault)|getenv)", path.read_text(encoding="utf-8"))
    }

    assert lookers == {"env.py"}


@pytest.mark.parametrize("name", READ)
def test_the_documented_default_is_the_codes(name: str) -> None:
    default = default_of(READ[name][1])

    assert DOCUMENTED[name][0] == WORKED_OUT.get(name, _shown(default))


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "`yes`" if default else "`no`"
    return "–" if default == "" else f"`{default}`"


@pytest.mark.parametrize("name", [n for n, (r, _) in READ.items() if r in ("integer", "number")])
def test_the_documented_range_is_the_codes(name: str) -> None:
    words = {word.arg: _plain(word.value) for word in READ[name][1].keywords}

    assert f"{words['low']} to {words['high']}" in DOCUMENTED[name][1]


@pytest.mark.parametrize("name", [n for n, (r, _) in READ.items() if r == "choice"])
def test_the_documented_words_are_the_codes(name: str) -> None:
    allowed = ast.literal_eval(READ[name][1].args[2])

    assert DOCUMENTED[name][1] == ", ".join(allowed)


@pytest.mark.parametrize("name", [n for n, (r, _) in READ.items() if "secret" in r])
def test_the_secrets_that_may_stand_in_files_are_named(name: str) -> None:
    secrets = DOCUMENT.partition("are secrets")[0]

    assert f"`{name}`" in secrets
