"""Pictures: uploaded once, decoded, kept in private storage, read for the prompt.

Every function here is synchronous and does disk or CPU work: call it from a thread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat.decoding.decoder import decoder
from chat.errors import ChatError, ErrorCode
from chat.models import Image
from chat.services import quotas

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from django.contrib.auth.models import User
    from django.core.files.uploadedfile import UploadedFile
    from django.db.models.fields.files import FieldFile

    from chat.decoding.picture import DecodedPicture

    Upload: TypeAlias = bytes | UploadedFile[Any]

_DATA_URL = re.compile(r"data:([a-z]{1,20}/[a-z0-9.+-]{1,60});base64,", re.IGNORECASE)


def store_upload(owner: User, content: Upload) -> Image:
    """Keep a picture for this person; the same file again gives the row it made the first time.

    Re-encodes (see `chat.decoding`) before any transaction, so a slow picture blocks no writer;
    must not be called inside one. Whatever fails, no file and no row stay behind. 1 to 6 queries.

    Raises:
        ChatError: image_too_large, image_type_unsupported, image_unreadable or quota_exceeded.
    """
    data = bytes_within_limit(content)
    sha256 = hashlib.sha256(data).hexdigest()
    if found := find(owner, sha256):
        return found
    quotas.check_storage(owner, 0)  # who has no room need not have it decoded
    return keep(owner, decoder.decode(data, owner_id=owner.pk), sha256)


def decode_data_url(text: str) -> bytes:
    """Give the bytes of a `data:image/…;base64,…` URL; they are not yet known to be a picture.

    Raises:
        ChatError: image_type_unsupported for any other URL or type, image_too_large, or
            image_unreadable for bad base64.
    """
    head = _DATA_URL.match(text)
    if head is None or not head[1].lower().startswith("image/"):
        raise ChatError(ErrorCode.IMAGE_TYPE_UNSUPPORTED)
    encoded_chars = len(text) - head.end()
    if encoded_chars // 4 * 3 - 2 > settings.VL_UPLOAD_BYTES:
        raise _too_large()
    try:
        return base64.b64decode(text[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ChatError(ErrorCode.IMAGE_UNREADABLE) from error


def read_bytes(image: Image) -> bytes:
    """Read the re-encoded picture: RGB as PNG or JPEG, upright, for the prompt.

    Raises:
        ChatError: image_not_found, when its file is gone from the disk.
    """
    return _read(image.file)


def read_thumbnail(image: Image) -> bytes:
    """Read the small picture, a WebP.

    Raises:
        ChatError: image_not_found, when its file is gone from the disk.
    """
    return _read(image.thumbnail)


def _read(stored: FieldFile) -> bytes:
    try:
        with stored.open("rb") as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        raise ChatError(ErrorCode.IMAGE_NOT_FOUND) from error


def bytes_within_limit(content: Upload) -> bytes:
    """Read an upload.

    Raises:
        ChatError: image_too_large, before it is read where its size is known.
    """
    limit = settings.VL_UPLOAD_BYTES
    if isinstance(content, bytes):
        data = content
    else:
        if (content.size or 0) > limit:  # before it is read into memory
            raise _too_large()
        data = bytes(content.read())
    if len(data) > limit:
        raise _too_large()
    return data


def _too_large() -> ChatError:
    return ChatError(ErrorCode.IMAGE_TOO_LARGE, limit=f"{settings.VL_UPLOAD_BYTES / 2**20:.3g} MiB")


def find(owner: User, sha256: str) -> Image | None:
    """Find the picture that these bytes made before; it counts as uploaded now. 2 queries."""
    found = Image.objects.visible_to(owner).filter(sha256=sha256).first()
    if found is None:
        return None
    found.created_at = timezone.now()
    # Not where it was removed since the look: then there is no row to change.
    is_there = Image.objects.filter(pk=found.pk).update(created_at=found.created_at)
    return found if is_there else None


def keep(owner: User, picture: DecodedPicture, sha256: str) -> Image:
    """Keep a picture that was decoded from what has this hash; not inside a transaction."""
    image = Image(
        owner=owner,
        sha256=sha256,
        width_px=picture.width_px,
        height_px=picture.height_px,
        size_bytes=len(picture.content),
        content_type=picture.content_type,
    )
    try:
        image.file.save("", ContentFile(picture.content), save=False)
        image.thumbnail.save("", ContentFile(picture.thumbnail), save=False)
        with transaction.atomic(durable=True):
            quotas.check_storage(owner, image.size_bytes, is_kept_now=True)
            image.save(force_insert=True)
    except IntegrityError:
        # The same file came twice at once, and the other upload was kept.
        _remove_files(image)
        found = find(owner, sha256)
        if found is None:
            raise
        return found
    except BaseException:
        _remove_files(image)
        raise
    return image


def _remove_files(image: Image) -> None:
    for file in (image.file, image.thumbnail):
        if file:
            file.delete(save=False)
