"""`make audit`: the known weaknesses of every pinned package, and what could not be asked about.

`python -m tests.supply REPORT` reads what pip-audit wrote as JSON. The exit status is 1 for
weaknesses alone: where no advisories are reached there are none to act on, and that is said.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """Print a row for each weakness, then one line of JSON."""
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    packages: list[dict[str, Any]] = given["dependencies"]
    asked = [package for package in packages if "skip_reason" not in package]
    found = [
        f"| {package['name']} {package['version']} | {weakness['id']} "
        f"| {', '.join(weakness['fix_versions']) or 'none yet'} |"
        for package in asked
        for weakness in package["vulns"]
    ]
    if found:
        print("\n".join(["| package | weakness | mended in |", "|---|---|---|", *found]))
    if len(asked) < len(packages):
        print(
            f"No advisories could be had for {len(packages) - len(asked)} of {len(packages)}"
            " packages: the index that was asked has none. Run this again with pypi.org in reach."
        )
    print(
        json.dumps(
            {"weaknesses": len(found), "asked": len(asked), "not_asked": len(packages) - len(asked)}
        )
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
