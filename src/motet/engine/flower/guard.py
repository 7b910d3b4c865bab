"""Which requests a SuperLink answers: anybody's to the fleet, and those that start runs from its own machine alone.

A SuperLink serves three interfaces on one port: to nodes (which prove who they are by their keys), to whoever starts
runs, and to the processes of a run. The last two know no accounts: whoever reaches the port could start a run, which is
code. So requests to them are answered only if they come from the machine itself.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

FLEET, HEALTH = "/v1/fleet/", "/health"
REFUSED = "this is answered to the server's own machine alone"
PASSED_ON = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
"""Headers of a request that somebody handed on; it comes from elsewhere, although its connection does not."""

Arguments = ParamSpec("Arguments")


class Guard:
    """ASGI middleware that answers 403 where a request is not for its sender."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it."""
        if scope["type"] == "lifespan" or scope["path"] == HEALTH or scope["path"].startswith(FLEET) or is_here(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(REFUSED))]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSED.encode()})
        else:
            await send({"type": "websocket.close"})


def is_here(scope: Scope) -> bool:
    """Return whether a request comes from the machine itself: over loopback, or from the very address it went to."""
    if not scope.get("client") or PASSED_ON & {name.lower() for name, _ in scope["headers"]}:
        return False
    client = _address(scope["client"][0])
    server = _address(scope["server"][0]) if scope.get("server") else None
    return client is not None and (client.is_loopback or client == server)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def guarded(create_app: Callable[Arguments, FastAPI]) -> Callable[Arguments, FastAPI]:
    """Return what makes a SuperLink's application, with the guard before everything else."""

    @functools.wraps(create_app)
    def create(*arguments: Arguments.args, **settings: Arguments.kwargs) -> FastAPI:
        app = create_app(*arguments, **settings)
        app.add_middleware(Guard)
        return app

    return create
