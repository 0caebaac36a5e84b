"""Settings, all from the environment (docs/settings.md). Safe when nothing is set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url
from django.utils.translation import gettext_lazy as _

from vlsite import env
from vlsite.account_settings import *  # noqa: F403 - a chapter of these settings
from vlsite.limit_settings import *  # noqa: F403
from vlsite.media_storage import bucket_storage, folder_storage
from vlsite.reach_settings import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent
VL_DATA_DIR = env.folder("VL_DATA_DIR", BASE_DIR / "data")

# Django ------------------------------------------------------------------------------------
DEBUG = env.boolean("VL_DEBUG", default=False)
SECRET_KEY = env.kept_secret("VL_SECRET_KEY", VL_DATA_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.secret("VL_FORMER_SECRET_KEY").split()
INSTALLED_APPS = [
    "daphne",
    "vlsite.admin_app.ServerAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "lucide",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "chat",
]
MIDDLEWARE = [
    "vlsite.response_headers.ResponseHeaders",
    "vlsite.public_host.PublicHost",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "vlsite.response_headers.ContentPolicy",
    "allauth.account.middleware.AccountMiddleware",
    "vlsite.activity.session_activity",
    "vlsite.error_pages.ClosedWithoutCache",
]
ROOT_URLCONF = "vlsite.urls"
ASGI_APPLICATION = "vlsite.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "vlsite.accounts.doors",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Data --------------------------------------------------------------------------------------
REDIS_URL = env.secret("REDIS_URL")
_database_url = env.secret("DATABASE_URL") or f"sqlite:///{VL_DATA_DIR / 'db.sqlite3'}"
DATABASES: dict[str, Any] = {"default": dj_database_url.parse(_database_url)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # SQLite gives its other files the rights of this one.
    env.keep_private(Path(DATABASES["default"]["NAME"]))
    # A writer takes its lock at BEGIN and waits its turn, instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # Threads and sockets share the test database, so it cannot live in one connection's memory.
    DATABASES["default"]["TEST"] = {"NAME": VL_DATA_DIR / "test.sqlite3"}
VL_DATABASE_CONNECTIONS = env.integer("VL_DATABASE_CONNECTIONS", 16, low=4, high=1000)
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Each socket has a thread of its own, so connections are pooled; one that died with a restart
    # of the database is found out before it is used.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": VL_DATABASE_CONNECTIONS, "timeout": 10},
    }
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # Who signs in waits for it: one that does not answer is taken for away soon.
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
    if REDIS_URL
    # Room for an attacker's many addresses: a full cache would forget who is held back.
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "vlsite.channel_layer.PatientRedisChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "capacity": 1000},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1000}}
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker answers without its broker meanwhile
# A web process rings while somebody waits, so it gives up soon.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 0,
    "visibility_timeout": 3600,
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "vl-doorbells"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
MEDIA_ROOT = VL_DATA_DIR / "media"  # private: no url serves it, chat.api does after its checks
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
STATIC_URL = "/static/"
STATIC_ROOT = VL_DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
VL_MEDIA_S3_BUCKET = env.text("VL_MEDIA_S3_BUCKET")  # empty: in MEDIA_ROOT
VL_MEDIA_S3_ENDPOINT = env.origin("VL_MEDIA_S3_ENDPOINT", "")  # empty: Amazon's
VL_MEDIA_S3_REGION = env.text("VL_MEDIA_S3_REGION")
# Without keys botocore looks where it always does: a role of the machine, ~/.aws.
_bucket_keys = {
    "access_key": env.secret("AWS_ACCESS_KEY_ID"),
    "secret_key": env.secret("AWS_SECRET_ACCESS_KEY"),
}
STORAGES = {
    "default": bucket_storage(
        VL_MEDIA_S3_BUCKET,
        endpoint=VL_MEDIA_S3_ENDPOINT,
        region=VL_MEDIA_S3_REGION,
        **_bucket_keys,
    )
    if VL_MEDIA_S3_BUCKET
    else folder_storage(),
    "staticfiles": {"BACKEND": "vlsite.staticfiles.HashedStaticFilesStorage"},
}

# Languages ---------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "vlsite" / "locale"]
USE_TZ = True
TIME_ZONE = env.text("TZ", "UTC")

# The model ---------------------------------------------------------------------------------
VL_BACKEND = env.choice("VL_BACKEND", "auto", ("auto", "engine", "transformers", "scripted"))
VL_MODEL = env.text("VL_MODEL")  # empty: Qwen3-VL-2B-Instruct, the demo model until it is here
VL_THREADS = env.integer("VL_THREADS", 0, low=0, high=1024)  # 0: one for each core
VL_DTYPE = env.choice("VL_DTYPE", "auto", ("auto", "bf16", "fp32"))
VL_QUANTIZATION = env.choice("VL_QUANTIZATION", "int8", ("int8", "int4", "bf16", "fp32"))
VL_SLOTS = env.integer("VL_SLOTS", 0, low=0, high=64)  # 0: 8 with the engine, else 1
VL_KV_CACHE_BYTES = env.integer("VL_KV_CACHE_BYTES", 2 * 2**30, low=2**20, high=2**40)
VL_KV_SPILL_BYTES = env.integer("VL_KV_SPILL_BYTES", 0, low=0, high=2**44)  # 0: nothing on disk
VL_PICTURE_CACHE_BYTES = env.integer("VL_PICTURE_CACHE_BYTES", 2**28, low=0, high=2**40)
VL_CONTEXT_TOKENS = env.integer("VL_CONTEXT_TOKENS", 8192, low=256, high=262_144)
VL_PIXELS = env.choice("VL_PIXELS", "balanced", ("fast", "balanced", "detail", "full"))
VL_TEMPERATURE = env.number("VL_TEMPERATURE", 0.7, low=0, high=2)
VL_TOP_P = env.number("VL_TOP_P", 0.8, low=0, high=1)
VL_TOP_K = env.integer("VL_TOP_K", 20, low=0, high=1000)
VL_PRESENCE_PENALTY = env.number("VL_PRESENCE_PENALTY", 1.5, low=-2, high=2)
VL_LOOP_GUARD = env.boolean("VL_LOOP_GUARD", default=True)
HF_ENDPOINT = env.text("HF_ENDPOINT")
HF_HUB_OFFLINE = env.boolean("HF_HUB_OFFLINE", default=False)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"without_traceback": {"()": "vlsite.public_host.WithoutTraceback"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        name: {"level": env.choice("VL_LOG_LEVEL", "info", ("debug", "info", "warning")).upper()}
        for name in ("chat", "inference", "vlsite")
    }
    | {"django.security.DisallowedHost": {"filters": ["without_traceback"]}},
}
