"""Pictures in a bucket: kept, read, removed, and nothing left behind when it is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError
from moto.server import ThreadedMotoServer

from chat.errors import ChatError, ErrorCode
from chat.models import Image
from chat.services.images import read_bytes, read_thumbnail, store_upload
from tests.chat.decoding.picture_corpus import drawn, encoded
from vlsite.media_storage import bucket_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

PNG = encoded(drawn(), "PNG")
KEYS = {"access_key": "somebody", "secret_key": "something"}
BUCKET = "pictures"


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedMotoServer]:
    """Serve S3 on a port of its own."""
    serving = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    serving.start()
    yield serving
    serving.stop()


@pytest.fixture
def endpoint(server: ThreadedMotoServer) -> str:
    """Tell where it is."""
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


@pytest.fixture
def bucket(
    endpoint: str, settings: SettingsWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Keep pictures in an empty bucket, and an empty folder beside it."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    settings.MEDIA_ROOT = tmp_path
    storage = bucket_storage(BUCKET, endpoint=endpoint, region="us-east-1", **KEYS)
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    made = boto3.resource(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
    ).create_bucket(Bucket=BUCKET)
    yield made
    made.objects.all().delete()
    made.delete()


def names_in(bucket: Any) -> list[str]:
    return sorted(found.key for found in bucket.objects.all())


def test_a_picture_is_kept_in_the_bucket_alone(alice: User, bucket: Any, tmp_path: Path) -> None:
    image = store_upload(alice, PNG)

    assert names_in(bucket) == [
        f"images/{alice.pk}/{image.pk}.png",
        f"images/{alice.pk}/{image.pk}.thumbnail.webp",
    ]
    assert not list(tmp_path.iterdir())
    kept = Image.objects.get()
    assert read_bytes(kept).startswith(b"\x89PNG")
    assert read_thumbnail(kept)[8:12] == b"WEBP"


def test_a_picture_whose_object_is_gone_is_not_found(alice: User, bucket: Any) -> None:
    image = store_upload(alice, PNG)
    bucket.objects.all().delete()

    with pytest.raises(ChatError) as refused:
        read_bytes(Image.objects.get(pk=image.pk))

    assert refused.value.code == ErrorCode.IMAGE_NOT_FOUND


def test_a_bucket_that_is_away_keeps_no_row(alice: User, settings: SettingsWrapper) -> None:
    nobody = bucket_storage(BUCKET, endpoint="http://127.0.0.1:9", region="us-east-1", **KEYS)
    settings.STORAGES = {**settings.STORAGES, "default": nobody}

    with pytest.raises(BotoCoreError):
        store_upload(alice, PNG)

    assert not Image.objects.exists()
