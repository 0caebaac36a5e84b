"""Static files with hashed names, served by the application itself.

In a module of its own because Django imports the storage by path while settings are loading.
"""

from servestatic.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Hashes file names, and the relative imports between ES modules along with them."""

    support_js_module_import_aggregation = True
