"""One script and one stylesheet a page, made of the modules and sheets that they import.

In the source each module stands alone, and a browser that is given the source loads them one by
one; as served, a page would otherwise ask for a hundred files before it can be used.
Source of the rules: ECMA-262, 16.2 (modules), CSS Cascading and Inheritance 4, 2 (`@import`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[str], str]

_IMPORT = re.compile(
    r'^import (?:\{(?P<names>[^}]*)\}|\* as (?P<space>\w+)) from "\./(?P<file>\w+)\.js";\n',
    re.MULTILINE,
)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (?P<name>\w+))", re.MULTILINE)
_OTHER_SYNTAX = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_SHEET = re.compile(r'^@import "(?P<file>\w+)\.css";\n', re.MULTILINE)


class BundleError(ValueError):
    """A module has a form that no bundle can be made of; the message says which and why."""


def bundle_script(first: str, read: Read) -> str:
    """Put a page's first module and all that it needs into one ES module.

    Each other module becomes a function of its own, called once, in the order in which a browser
    would run them, so that names in two of them cannot meet. This is the same as modules as long as
    exports are never reassigned and imports make no circle.

    Args:
        first: the name of a module, `main` for `main.js`.
        read: gives the text of a file by its name.

    Raises:
        BundleError: there is a circle, or an import or export of another form than
            `import {a, b} from "./c.js";`, `import * as c from "./c.js";` and
            `export [async] function|class|const`.
    """
    done: dict[str, str] = {}
    _add(first, read, done, way=())
    own = done.pop(first)
    return "".join((*done.values(), own))


def bundle_sheet(first: str, read: Read) -> str:
    """Put the sheets that a page's sheet imports in its place, in their order."""
    return _SHEET.sub(lambda found: read(f"{found['file']}.css"), read(f"{first}.css"))


def _add(name: str, read: Read, done: dict[str, str], *, way: tuple[str, ...]) -> None:
    if name in way:
        raise BundleError(f"Modules import each other in a circle: {' → '.join((*way, name))}.")
    text = read(f"{name}.js")
    for found in _IMPORT.finditer(text):
        if found["file"] not in done:
            _add(found["file"], read, done, way=(*way, name))
    exported = [found["name"] for found in _EXPORT.finditer(text)]
    body = _EXPORT.sub("", _IMPORT.sub(_from_bundle, text))
    if other := _OTHER_SYNTAX.search(body):
        raise BundleError(f"{name}.js: bundles know no “{other.group()}”.")
    if way:
        end = f"return {{ {', '.join(exported)} }};\n"
        body = f"const {_variable(name)} = (() => {{\n{body}{end}}})();\n"
    done[name] = body


def _from_bundle(found: re.Match[str]) -> str:
    if found["space"]:
        return f"const {found['space']} = {_variable(found['file'])};\n"
    return f"const {{{found['names'].replace(' as ', ': ')}}} = {_variable(found['file'])};\n"


def _variable(name: str) -> str:
    return f"${name}"  # no module of ours uses the dollar
