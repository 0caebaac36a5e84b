"""How much of everything is allowed: a chapter of `vlsite.settings`."""

from __future__ import annotations

from vlsite import env

# One thing ---------------------------------------------------------------------------------
VL_MAX_TOKENS = env.integer("VL_MAX_TOKENS", 1024, low=1, high=32_768)
VL_TEXT_CHARS = env.integer("VL_TEXT_CHARS", 8000, low=1, high=200_000)
VL_IMAGES_PER_TURN = env.integer("VL_IMAGES_PER_TURN", 8, low=1, high=64)
VL_UPLOAD_BYTES = env.integer("VL_UPLOAD_BYTES", 20 * 2**20, low=1024, high=2**30)
VL_BODIES_BYTES = env.integer("VL_BODIES_BYTES", 96 * 2**20, low=2**20, high=2**40)
VL_ADDRESS_BODIES_BYTES = env.integer("VL_ADDRESS_BODIES_BYTES", 2**29, low=2**20, high=2**40)
VL_IMAGE_PIXELS = env.integer("VL_IMAGE_PIXELS", 50_000_000, low=10_000, high=10**9)
VL_THUMBNAIL_PX = env.integer("VL_THUMBNAIL_PX", 320, low=32, high=2048)
VL_DECODE_BYTES = env.integer("VL_DECODE_BYTES", 2**29, low=2**28, high=2**36)
VL_DECODE_S = env.integer("VL_DECODE_S", 20, low=1, high=250)
VL_DECODE_PROCESSES = env.integer("VL_DECODE_PROCESSES", 2, low=1, high=64)
VL_SYSTEM_PROMPT_CHARS = env.integer("VL_SYSTEM_PROMPT_CHARS", 4000, low=0, high=200_000)
VL_PRESETS_PER_PERSON = env.integer("VL_PRESETS_PER_PERSON", 50, low=0, high=1000)
VL_DOCUMENT_PAGES = env.integer("VL_DOCUMENT_PAGES", 200, low=1, high=5000)
VL_PAGE_PIXELS = env.integer("VL_PAGE_PIXELS", 4_000_000, low=10_000, high=50_000_000)
VL_PAGE_TOKENS = env.integer("VL_PAGE_TOKENS", 4096, low=1, high=131_072)
VL_DOCUMENT_DAYS = env.integer("VL_DOCUMENT_DAYS", 7, low=1, high=3650)
VL_ORPHAN_IMAGE_DAYS = env.integer("VL_ORPHAN_IMAGE_DAYS", 7, low=1, high=3650)
VL_DELETE_UNDO_S = env.integer("VL_DELETE_UNDO_S", 60, low=10, high=2_592_000)
VL_QUEUE_REPLIES = env.integer("VL_QUEUE_REPLIES", 200, low=1, high=100_000)
VL_REQUEST_HEAD_S = env.number("VL_REQUEST_HEAD_S", 10, low=1, high=300)
VL_SOCKET_STALL_S = env.number("VL_SOCKET_STALL_S", 10, low=1, high=300)
VL_SOCKET_FRAMES_PER_S = env.integer("VL_SOCKET_FRAMES_PER_S", 30, low=1, high=10_000)
VL_ADDRESS_FRAMES_PER_S = env.integer("VL_ADDRESS_FRAMES_PER_S", 600, low=1, high=1_000_000)
VL_PERSON_FRAMES_PER_S = env.integer("VL_PERSON_FRAMES_PER_S", 60, low=1, high=100_000)
VL_DRAIN_S = env.integer("VL_DRAIN_S", 5, low=0, high=20)
VL_REPLY_DEADLINE_S = env.integer("VL_REPLY_DEADLINE_S", 1800, low=10, high=86_400)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# How often (chat.rate_limits) --------------------------------------------------------------
VL_PERSON_TURNS_PER_MINUTE = env.integer("VL_PERSON_TURNS_PER_MINUTE", 30, low=0, high=10_000)
VL_ADDRESS_TURNS_PER_MINUTE = env.integer("VL_ADDRESS_TURNS_PER_MINUTE", 120, low=0, high=100_000)
VL_PERSON_UPLOADS_PER_MINUTE = env.integer("VL_PERSON_UPLOADS_PER_MINUTE", 60, low=0, high=10_000)
VL_ADDRESS_UPLOADS_PER_MINUTE = env.integer(
    "VL_ADDRESS_UPLOADS_PER_MINUTE", 240, low=0, high=100_000
)
VL_PERSON_DECODE_S_PER_MINUTE = env.integer("VL_PERSON_DECODE_S_PER_MINUTE", 30, low=0, high=10_000)
VL_PERSON_RENDER_S_PER_MINUTE = env.integer("VL_PERSON_RENDER_S_PER_MINUTE", 20, low=0, high=10_000)

# How much (chat.services.quotas) ------------------------------------------------------------
VL_PERSON_TURNS_PER_DAY = env.integer("VL_PERSON_TURNS_PER_DAY", 1000, low=0, high=10**9)
VL_PERSON_TOKENS_PER_DAY = env.integer("VL_PERSON_TOKENS_PER_DAY", 5_000_000, low=0, high=10**12)
VL_PERSON_OPEN_REPLIES = env.integer("VL_PERSON_OPEN_REPLIES", 10, low=0, high=10_000)
VL_PERSON_STREAMS = env.integer("VL_PERSON_STREAMS", 32, low=1, high=10_000)
VL_PERSON_RUNS = env.integer("VL_PERSON_RUNS", 3, low=0, high=1000)
VL_PERSON_STORAGE_BYTES = env.integer("VL_PERSON_STORAGE_BYTES", 5 * 2**30, low=0, high=2**50)

# How often (allauth's, counted in the cache, which all instances share) ----------------------
VL_ADDRESS_SIGN_INS_PER_MINUTE = env.integer(
    "VL_ADDRESS_SIGN_INS_PER_MINUTE", 30, low=1, high=10_000
)
VL_ADDRESS_SIGN_IN_FAILURES_PER_MINUTE = env.integer(
    "VL_ADDRESS_SIGN_IN_FAILURES_PER_MINUTE", 10, low=1, high=10_000
)
VL_ACCOUNT_SIGN_IN_FAILURES_PER_5_MINUTES = env.integer(
    "VL_ACCOUNT_SIGN_IN_FAILURES_PER_5_MINUTES", 5, low=1, high=1000
)
VL_ADDRESS_SIGN_UPS_PER_HOUR = env.integer("VL_ADDRESS_SIGN_UPS_PER_HOUR", 20, low=1, high=10_000)
ACCOUNT_RATE_LIMITS: dict[str, str] | bool = {
    "login": f"{VL_ADDRESS_SIGN_INS_PER_MINUTE}/m/ip",
    "login_failed": f"{VL_ADDRESS_SIGN_IN_FAILURES_PER_MINUTE}/m/ip,"
    f"{VL_ACCOUNT_SIGN_IN_FAILURES_PER_5_MINUTES}/5m/key",
    "signup": f"{VL_ADDRESS_SIGN_UPS_PER_HOUR}/h/ip",
}
