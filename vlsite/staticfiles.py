"""Static files with hashed names, served by the application itself.

In a module of its own because Django imports the storage by path while settings are loading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import rjsmin  # type: ignore[import-untyped]
from django.contrib.staticfiles.storage import HashedFilesMixin
from django.core.files.base import ContentFile
from servestatic.storage import CompressedManifestStaticFilesStorage

if TYPE_CHECKING:
    from django.core.files.base import File

_, _MODULE_IMPORTS = HashedFilesMixin._js_module_import_aggregation_patterns  # type: ignore[attr-defined]  # missing in the stubs


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Hashes file names, and the relative imports between our own ES modules along with them.

    Django's switch for this would also rewrite the scripts of other packages, some of which name
    modules that they do not ship. Our modules are served without their comments, which are a
    third of them.
    """

    patterns: ClassVar = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("chat/js/*.js", _MODULE_IMPORTS),
    )

    def _save(self, name: str, content: File[bytes]) -> str:
        if name.startswith("chat/js/") and name.endswith(".js"):
            content.seek(0)  # it was read for the hash
            content = ContentFile(rjsmin.jsmin(content.read()))
        saved: str = super()._save(name, content)
        return saved
