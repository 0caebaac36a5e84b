"""Settings of accounts, a chapter of `vlsite.settings`: who comes in, and how."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from vlsite import env

AUTHENTICATION_BACKENDS = ["vlsite.sign_in_backend.SignInBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
VL_SIGNUP = env.choice("VL_SIGNUP", "open", ("open", "invite", "closed"))

# Without a host no mail is sent, and nothing waits for one.
VL_EMAIL_HOST = env.text("VL_EMAIL_HOST")
VL_EMAIL_PORT = env.integer("VL_EMAIL_PORT", 587, low=1, high=65535)
VL_EMAIL_TLS = env.choice("VL_EMAIL_TLS", "starttls", ("starttls", "tls", "none"))
VL_EMAIL_FROM = env.text("VL_EMAIL_FROM")
if VL_EMAIL_HOST and "@" not in VL_EMAIL_FROM:
    raise ImproperlyConfigured("VL_EMAIL_HOST is set: set VL_EMAIL_FROM to the sender's address.")
EMAIL_BACKEND = (
    "vlsite.mail.EmailBackend" if VL_EMAIL_HOST else "django.core.mail.backends.dummy.EmailBackend"
)
EMAIL_HOST = VL_EMAIL_HOST
EMAIL_PORT = VL_EMAIL_PORT
EMAIL_HOST_USER = env.text("VL_EMAIL_USER")
EMAIL_HOST_PASSWORD = env.secret("VL_EMAIL_PASSWORD")
EMAIL_USE_TLS = VL_EMAIL_TLS == "starttls"
EMAIL_USE_SSL = VL_EMAIL_TLS == "tls"
EMAIL_TIMEOUT = 10  # seconds; a person waits for it
DEFAULT_FROM_EMAIL = SERVER_EMAIL = VL_EMAIL_FROM

ACCOUNT_ADAPTER = "vlsite.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = [
    "username*",
    "email*" if VL_EMAIL_HOST else "email",
    "password1*",
    "password2*",
]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if VL_EMAIL_HOST else "none"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # only in the browser that signed up
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = True
# What leads to a new password, as another address does, asks for the old one or a second factor.
ACCOUNT_REAUTHENTICATION_REQUIRED = True

VL_STAFF_MFA = env.choice("VL_STAFF_MFA", "optional", ("optional", "required"))
MFA_ADAPTER = "vlsite.second_factors.MFAAdapter"
MFA_FORMS = {
    "authenticate": "vlsite.second_factor_forms.AuthenticateForm",
    "reauthenticate": "vlsite.second_factor_forms.ReauthenticateForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "VL Live Chat"
MFA_TOTP_TOLERANCE = 1  # phones' clocks are not exact
MFA_ALLOW_UNVERIFIED_EMAIL = not VL_EMAIL_HOST
USERSESSIONS_TRACK_ACTIVITY = True  # by our own middleware: vlsite.activity

VL_OIDC_URL = env.text("VL_OIDC_URL").rstrip("/")
VL_OIDC_NAME = env.text("VL_OIDC_NAME", "OpenID Connect")
VL_OIDC_CLIENT_ID = env.text("VL_OIDC_CLIENT_ID")
_oidc_secret = env.secret("VL_OIDC_CLIENT_SECRET")
# Whoever can change what comes from there can sign in as anybody.
if VL_OIDC_URL and not VL_OIDC_URL.startswith(
    ("https://", "http://127.0.0.1:", "http://localhost:")
):
    raise ImproperlyConfigured(f"VL_OIDC_URL is “{VL_OIDC_URL}” but must begin with https://.")
if VL_OIDC_URL and not (VL_OIDC_CLIENT_ID and _oidc_secret):
    raise ImproperlyConfigured(
        "VL_OIDC_URL is set: set VL_OIDC_CLIENT_ID and VL_OIDC_CLIENT_SECRET too."
    )
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": VL_OIDC_NAME,
                "client_id": VL_OIDC_CLIENT_ID,
                "secret": _oidc_secret,
                "settings": {"server_url": VL_OIDC_URL},
            }
        ]
        if VL_OIDC_URL
        else [],
    }
}
SOCIALACCOUNT_ADAPTER = "vlsite.accounts.SocialAccountAdapter"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10  # seconds; a person waits for it

VL_API_KEYS = env.integer("VL_API_KEYS", 20, low=0, high=10_000)  # of a person

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
