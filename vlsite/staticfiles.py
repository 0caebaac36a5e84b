"""Static files with hashed names, served by the application itself.

In a module of its own because Django imports the storage by path while settings are loading.
"""

from typing import ClassVar

from django.contrib.staticfiles.storage import HashedFilesMixin
from servestatic.storage import CompressedManifestStaticFilesStorage

_, _MODULE_IMPORTS = HashedFilesMixin._js_module_import_aggregation_patterns  # type: ignore[attr-defined]  # missing in the stubs


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Hashes file names, and the relative imports between our own ES modules along with them.

    Django's switch for this would also rewrite the scripts of other packages, some of which name
    modules that they do not ship.
    """

    patterns: ClassVar = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("chat/js/*.js", _MODULE_IMPORTS),
    )
