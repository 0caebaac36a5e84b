"""Where it is reached, and what browsers are told to hold to: a chapter of `vlsite.settings`."""

from __future__ import annotations

from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from vlsite import env

VL_HOST = env.text("VL_HOST", "127.0.0.1")
VL_PORT = env.integer("VL_PORT", 8000, low=1, high=65535)
VL_PUBLIC_URL = env.origin("VL_PUBLIC_URL", f"http://127.0.0.1:{VL_PORT}")
VL_METRICS_TOKEN = env.secret("VL_METRICS_TOKEN")
_public = urlsplit(VL_PUBLIC_URL)
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_is_local = _public.hostname in ("127.0.0.1", "localhost", "::1")
_is_https = _public.scheme == "https"
_port = f":{_public.port}" if _public.port else ""
# HTTPS ends in a proxy, most often beside the server; without HTTPS there need not be one.
VL_TRUSTED_PROXIES = env.networks("VL_TRUSTED_PROXIES", "loopback" if _is_https else "none")
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
    # Only what a trusted proxy sends gets as far as this: vlsite.proxies.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
# Whether other hosts of the domain speak HTTPS only is not this product's to promise.
VL_ACCEPTED_RISKS = env.text("VL_ACCEPTED_RISKS").replace(",", " ").split()  # vlsite.checks
SILENCED_SYSTEM_CHECKS = [
    "security.W005",
    "security.W021",
    *(f"vlsite.{name}" for name in VL_ACCEPTED_RISKS),
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
SESSION_COOKIE_NAME = "__Host-sessionid" if _is_https else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _is_https else "csrftoken"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# Browsers have passkeys over plain HTTP for this machine alone.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = _is_local and not _is_https
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
        "worker-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        # Text becomes markup in one module alone: html.js, which makes this policy.
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["chat"],
    }
}
