"""Settings, all from the environment (docs/settings.md). Safe when nothing is set."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from vlsite import env
from vlsite.account_settings import *  # noqa: F403 - a chapter of these settings
from vlsite.media_storage import bucket_storage, folder_storage

BASE_DIR = Path(__file__).resolve().parent.parent
VL_DATA_DIR = env.folder("VL_DATA_DIR", BASE_DIR / "data")

# Where it is reached -----------------------------------------------------------------------
VL_HOST = env.text("VL_HOST", "127.0.0.1")
VL_PORT = env.integer("VL_PORT", 8000, low=1, high=65535)
VL_PUBLIC_URL = env.origin("VL_PUBLIC_URL", f"http://127.0.0.1:{VL_PORT}")
VL_METRICS_TOKEN = env.secret("VL_METRICS_TOKEN")
_public = urlsplit(VL_PUBLIC_URL)
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_is_local = _public.hostname in ("127.0.0.1", "localhost", "::1")
_is_https = _public.scheme == "https"
_port = f":{_public.port}" if _public.port else ""
# The local names too, for health checks beside the server.
ALLOWED_HOSTS = [str(_public.hostname), *_LOCAL_HOSTS]
# Exactly these pages may open a socket or post a form.
VL_ORIGINS = (
    [VL_PUBLIC_URL.replace(_public.netloc, host + _port) for host in _LOCAL_HOSTS]
    if _is_local and not _is_https
    else [VL_PUBLIC_URL]
)
CSRF_TRUSTED_ORIGINS = VL_ORIGINS
if _is_https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
# Whether other hosts of the domain speak HTTPS only is not this product's to promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
SESSION_COOKIE_NAME = "__Host-sessionid" if _is_https else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _is_https else "csrftoken"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        # Browsers without CSP 3 do not count a socket as 'self'; none takes an IPv6 address here.
        "connect-src": [
            SELF,
            *(url.replace("http", "ws", 1) for url in VL_ORIGINS if "[" not in url),
        ],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Django ------------------------------------------------------------------------------------
DEBUG = env.boolean("VL_DEBUG", default=False)
SECRET_KEY = env.kept_secret("VL_SECRET_KEY", VL_DATA_DIR / "secret_key")
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
    "chat",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
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
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
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

# Limits ------------------------------------------------------------------------------------
VL_MAX_TOKENS = env.integer("VL_MAX_TOKENS", 1024, low=1, high=32_768)
VL_TEXT_CHARS = env.integer("VL_TEXT_CHARS", 8000, low=1, high=200_000)
VL_SYSTEM_PROMPT_CHARS = env.integer("VL_SYSTEM_PROMPT_CHARS", 4000, low=0, high=200_000)
VL_PRESETS_PER_PERSON = env.integer("VL_PRESETS_PER_PERSON", 50, low=0, high=1000)
VL_IMAGES_PER_TURN = env.integer("VL_IMAGES_PER_TURN", 8, low=1, high=64)
VL_UPLOAD_BYTES = env.integer("VL_UPLOAD_BYTES", 20 * 2**20, low=1024, high=2**30)
VL_IMAGE_PIXELS = env.integer("VL_IMAGE_PIXELS", 50_000_000, low=10_000, high=10**9)
VL_THUMBNAIL_PX = env.integer("VL_THUMBNAIL_PX", 320, low=32, high=2048)
VL_DECODE_BYTES = env.integer("VL_DECODE_BYTES", 2**29, low=2**28, high=2**36)
VL_DECODE_S = env.integer("VL_DECODE_S", 20, low=1, high=250)
VL_DECODE_PROCESSES = env.integer("VL_DECODE_PROCESSES", 2, low=1, high=64)
VL_DOCUMENT_PAGES = env.integer("VL_DOCUMENT_PAGES", 200, low=1, high=5000)
VL_PAGE_PIXELS = env.integer("VL_PAGE_PIXELS", 4_000_000, low=10_000, high=50_000_000)
VL_DOCUMENT_DAYS = env.integer("VL_DOCUMENT_DAYS", 7, low=1, high=3650)
VL_QUEUE_REPLIES = env.integer("VL_QUEUE_REPLIES", 200, low=1, high=100_000)
VL_REQUEST_HEAD_S = env.number("VL_REQUEST_HEAD_S", 10, low=1, high=300)
VL_SOCKET_STALL_S = env.number("VL_SOCKET_STALL_S", 10, low=1, high=300)
VL_SOCKET_FRAMES_PER_S = env.integer("VL_SOCKET_FRAMES_PER_S", 30, low=1, high=10_000)
VL_DRAIN_S = env.integer("VL_DRAIN_S", 5, low=0, high=20)
VL_DELETE_UNDO_S = env.integer("VL_DELETE_UNDO_S", 60, low=10, high=2_592_000)
VL_REPLY_DEADLINE_S = env.integer("VL_REPLY_DEADLINE_S", 1800, low=10, high=86_400)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        name: {"level": env.choice("VL_LOG_LEVEL", "info", ("debug", "info", "warning")).upper()}
        for name in ("chat", "inference", "vlsite")
    },
}
