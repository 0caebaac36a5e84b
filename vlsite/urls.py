"""Where each address leads."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path

from chat.api import api
from vlsite import account_views, error_pages, health, metrics


def favicon(_request: HttpRequest) -> HttpResponseRedirect:
    """Lead to the icon: pages that are not ours, such as the admin's, let browsers ask here."""
    return HttpResponseRedirect(static("chat/img/favicon.svg"))


urlpatterns = [
    path("", include("chat.urls")),
    path("api/", api.urls),
    path("accounts/", include("vlsite.account_views")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("i18n/setlang/", account_views.choose_language, name="set_language"),
    path("favicon.ico", favicon, name="favicon"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]

handler429 = error_pages.too_often
