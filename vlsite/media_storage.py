"""Where pictures are kept: in a folder, or in a bucket that speaks S3."""

from __future__ import annotations

from typing import Any

CONNECT_S = 3
READ_S = 20
ATTEMPTS = 3


def folder_storage() -> dict[str, Any]:
    """Give the entry of STORAGES for MEDIA_ROOT."""
    return {"BACKEND": "django.core.files.storage.FileSystemStorage"}


def bucket_storage(
    bucket: str, *, endpoint: str, region: str, access_key: str, secret_key: str
) -> dict[str, Any]:
    """Give the entry of STORAGES for a bucket; empty values leave it to botocore.

    One that cannot be reached fails a request in a minute at most, not in botocore's five.
    """
    # Half a second of import, only where there is a bucket.
    from botocore.config import Config

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            "access_key": access_key or None,
            "secret_key": secret_key or None,
            "default_acl": None,
            "client_config": Config(
                connect_timeout=CONNECT_S,
                read_timeout=READ_S,
                retries={"total_max_attempts": ATTEMPTS},
                signature_version="s3v4",
                # Others than Amazon serve buckets under a path rather than a name of their own.
                s3={"addressing_style": "path" if endpoint else "auto"},
            ),
        },
    }
