"""Bundles behave as the modules and sheets that they are made of; scripts are run by Node."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.contract.documents import ROOT, read
from vlsite.bundles import BundleError, bundle_script, bundle_sheet
from vlsite.staticfiles import Bundles

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def run(**modules: str) -> list[str]:
    """Bundle modules, of which the first is the page's; give what they print."""
    first = next(iter(modules))
    bundle = bundle_script(first, lambda file: modules[file.removesuffix(".js")])
    done = subprocess.run(
        ["node", "--input-type=module"],
        input=bundle,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_modules_run_once_and_before_those_that_import_them() -> None:
    use_log = 'import { log } from "./log.js";\n'
    printed = run(
        first='import { left } from "./left.js";\nimport { right } from "./right.js";\n'
        "left(right);\n",
        left=f'{use_log}\nlog("left");\nexport function left(x) {{ log(x); }}\n',
        right=f'{use_log}log("right");\nexport const right = 7;\n',
        log='export const log = (text) => console.log(text);\nlog("log");\n',
    )

    assert printed == ["log", "left", "right", "7"]


def test_what_two_modules_call_by_one_name_stays_two_things() -> None:
    printed = run(
        first='import { a } from "./a.js";\nimport { b } from "./b.js";\nconst own = 3;\n'
        "console.log(a(), b(), own);\n",
        a="const own = 1;\nexport function a() { return own; }\n",
        b="const own = 2;\nexport function b() { return own; }\n",
    )

    assert printed == ["1 2 3"]


@pytest.mark.parametrize(
    "line",
    [
        'import { add, Counter, unit } from "./sums.js";',
        'import {\n  add,\n  Counter,\n  unit,\n} from "./sums.js";',
        'import * as sums from "./sums.js";\nconst { add, Counter, unit } = sums;',
        'import { add as plus, Counter, unit } from "./sums.js";\nconst add = plus;',
    ],
)
def test_every_form_of_import_and_export_that_modules_use(line: str) -> None:
    printed = run(
        first=f"{line}\nconst counter = new Counter();\ncounter.up();\n"
        "console.log(await add(2, 3), counter.count, unit);\n",
        sums="let all = 0;\nexport async function add(a, b) { return a + b; }\n"
        "export class Counter {\n  up() { all += 1; }\n  get count() { return all; }\n}\n"
        'export const unit = "px";\n',
    )

    assert printed == ["5 1 px"]


def test_a_circle_is_named() -> None:
    modules = {
        "a.js": 'import { b } from "./b.js";\n',
        "b.js": 'import { c } from "./c.js";\n',
        "c.js": 'import { b } from "./b.js";\n',
    }

    with pytest.raises(BundleError, match="a → b → c → b"):
        bundle_script("a", modules.__getitem__)


@pytest.mark.parametrize(
    "line",
    [
        'import "./b.js";',
        'import b from "./b.js";',
        'import { b } from "other";',
        "export default 1;",
        "export let count = 0;",
        'export { b } from "./b.js";',
    ],
)
def test_a_form_that_bundles_do_not_know_is_refused(line: str) -> None:
    with pytest.raises(BundleError, match=r"a\.js: bundles know no"):
        bundle_script("a", {"a.js": f"{line}\n", "b.js": ""}.__getitem__)


def test_sheets_stand_where_they_are_imported() -> None:
    sheets = {
        "page.css": '/* All. */\n@import "base.css";\n@import "card.css";\n\np { margin: 0 }\n',
        "base.css": "body { margin: 1px }\n",
        "card.css": ".card { margin: 2px }\n",
    }

    assert bundle_sheet("page", sheets.__getitem__) == (
        "/* All. */\nbody { margin: 1px }\n.card { margin: 2px }\n\np { margin: 0 }\n"
    )


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_what_a_template_names_is_a_bundle_or_imports_nothing(template: object) -> None:
    for name in re.findall(r'static "(chat/(?:js|css)/\w+\.(?:js|css))"', read(str(template))):
        source = read(f"chat/static/{name}")
        assert name in Bundles.NAMES or not re.search(r"^(@?import) ", source, re.MULTILINE)
