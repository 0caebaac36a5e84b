"""What every page has in common: who may see it, how it is cached, which scripts may write HTML."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from csp.decorators import csp_update
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chat.errors import ChatError

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

# Only html.js may turn a string into markup (its policy is named "chat"). Not for the whole
# site: the scripts of the Django admin know no Trusted Types.
_TRUSTED_TYPES = {"require-trusted-types-for": ["'script'"], "trusted-types": ["chat"]}


def page(view: View[P]) -> View[P]:
    """Serve a view to signed-in people only, never from a cache; a refusal is a 404."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except ChatError as error:
            raise Http404(error.content) from error

    trusted = csp_update(_TRUSTED_TYPES)(guarded)
    # django-csp's types forget the arguments of what they decorate.
    return cast("View[P]", never_cache(require_safe(login_required(trusted))))
