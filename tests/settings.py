"""The product's settings, with what tests need: own data folder, scripted model, fast hashing."""

import os
import tempfile

os.environ.setdefault("VL_DATA_DIR", tempfile.mkdtemp(prefix="vl-tests-"))
os.environ.setdefault("VL_BACKEND", "scripted")

from vlsite.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
ACCOUNT_RATE_LIMITS = False
VL_PERSON_TURNS_PER_MINUTE = VL_ADDRESS_TURNS_PER_MINUTE = 0
VL_PERSON_UPLOADS_PER_MINUTE = VL_ADDRESS_UPLOADS_PER_MINUTE = 0
VL_PERSON_DECODE_S_PER_MINUTE = VL_PERSON_RENDER_S_PER_MINUTE = 0
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Once a minute it adds to a request's queries; tests that count these could not tell.
USERSESSIONS_TRACK_ACTIVITY = False
