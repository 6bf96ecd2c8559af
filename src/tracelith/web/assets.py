"""Static files under content-hashed names: cached for ever, compressed once, all of them from this machine.

``plotly.min.js`` is read from the installed plotly package, so pages work without a network.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

__all__ = ["Asset", "asset_url", "assets", "plotly_style_ids", "router"]

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_OWN = ("style.css", "charts.css", "prelude.js", "charts.js", "icon.svg")
_PLOTLY = "plotly.min.js"


@dataclass(frozen=True)
class Asset:
    """One static file."""

    name: str
    content: bytes

    @cached_property
    def digest(self) -> str:
        """Changes whenever the content does."""
        return blake2b(self.content, digest_size=6).hexdigest()

    @cached_property
    def compressed(self) -> bytes:
        """The content, gzipped at the first request that wants it."""
        return gzip.compress(self.content, 6, mtime=0)


@cache
def assets() -> Mapping[str, Asset]:
    """All static files by name."""
    own = files("tracelith.web").joinpath("static")
    known = {name: Asset(name, own.joinpath(name).read_bytes()) for name in _OWN}
    plotly = files("plotly").joinpath("package_data", _PLOTLY).read_bytes()
    return {**known, _PLOTLY: Asset(_PLOTLY, plotly)}


def asset_url(name: str) -> str:
    """Where a page finds this static file."""
    return f"/static/{assets()[name].digest}/{name}"


@cache
def plotly_style_ids() -> tuple[str, ...]:
    """Ids of the style elements that plotly's bundled map library would add when it loads.

    It skips those that exist. Pages place empty templates under these ids, because the policy forbids the styles
    and the browser would complain on every page; there are no maps here to miss them.
    """
    script = assets()[_PLOTLY].content.decode("utf-8")
    return tuple(
        re.findall(r'getElementById\("([0-9a-f]{64})"\)\)\{var \w+=document\.createElement\("style"\)', script)
    )


router = APIRouter(include_in_schema=False)


@router.get("/static/{digest}/{name}")
def static_file(digest: str, name: str, request: Request) -> Response:
    """One static file; an outdated digest still finds it, but is not cached."""
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404, "There is no such file.")
    lasting = digest == asset.digest
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if lasting else "no-cache",
        "Vary": "Accept-Encoding",
    }
    content = asset.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = asset.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=_TYPES[name.rsplit(".", 1)[-1]], headers=headers)
