"""Static files with hashed names, served by the application itself.

In a module of its own because Django imports the storage by path while settings are loading.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

import rjsmin  # type: ignore[import-untyped]
from django.contrib.staticfiles import finders
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from servestatic.storage import CompressedManifestStaticFilesStorage

from vlsite.bundles import bundle_script, bundle_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.files.base import File


class Bundles(Storage):
    """Gives, for a page's first script or its stylesheet, the bundle of it and what it imports."""

    # What templates name; other modules and sheets are never asked for by themselves.
    NAMES: ClassVar = frozenset(
        {
            "chat/js/main.js",
            "chat/js/card_page.js",
            "chat/js/offline_page.js",
            "chat/css/main.css",
            "chat/css/card_page.css",
        }
    )

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        path = PurePosixPath(name)

        def read(file: str) -> str:
            found = finders.find(str(path.with_name(file)))
            if found is None:
                raise FileNotFoundError(f"{name} imports {file}, and there is none.")
            return Path(found).read_text(encoding="utf-8")

        bundle = bundle_script if path.suffix == ".js" else bundle_sheet
        return ContentFile(bundle(path.stem, read).encode())


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Hashes file names; what a page names is a bundle, and our scripts have no comments.

    Comments are a third of them. With `DEBUG` neither is done: browsers get the source.
    """

    def post_process(
        self, paths: dict[str, tuple[Storage, str]], *args: Any, **options: Any
    ) -> Iterator[tuple[str, str, bool]]:
        """Hash the files, those with a bundle as the bundle; give their names and new names."""
        bundles = {name: (Bundles(), name) for name in Bundles.NAMES & paths.keys()}
        yield from super().post_process({**paths, **bundles}, *args, **options)

    def _save(self, name: str, content: File[bytes]) -> str:
        if name.startswith("chat/js/") and name.endswith(".js"):
            content.seek(0)  # it was read for the hash
            content = ContentFile(rjsmin.jsmin(content.read()))
        saved: str = super()._save(name, content)
        return saved
