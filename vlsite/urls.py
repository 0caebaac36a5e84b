"""Where each address leads."""

from django.contrib import admin
from django.urls import include, path

from chat.api import api
from vlsite import health

urlpatterns = [
    path("", include("chat.urls")),
    path("api/", api.urls),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
