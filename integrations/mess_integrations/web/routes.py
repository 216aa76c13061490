"""All endpoints of this package, and of the page itself."""

from __future__ import annotations

from mess_integrations.http.routing import Endpoint
from mess_integrations.web import (
    assets,
    lists,
    live,
    outlines,
    points,
    signing_in,
    sound,
    suggestions,
    uploads,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *assets.ENDPOINTS,
    *signing_in.ENDPOINTS,
    *suggestions.ENDPOINTS,
    *outlines.ENDPOINTS,
    *sound.ENDPOINTS,
    *uploads.ENDPOINTS,
    *live.ENDPOINTS,
    *lists.ENDPOINTS,
    *points.ENDPOINTS,
)
