"""Who is answered what by a SuperLink: outsiders the fleet's interface, the machine itself everything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("flwr", reason="needs the extra flower")

from fastapi import FastAPI

from motet.engine.flower.guard import REFUSED, guarded

HERE = ("127.0.0.1", 8000)


def ask(
    path: str,
    client: tuple[str, int] | None,
    server: tuple[str, int] = HERE,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    kind: str = "http",
) -> tuple[Any, bytes]:
    """Send a request through the guard to an application that knows each path, and return its answer."""
    app = guarded(FastAPI)()

    @app.api_route("/{path:path}", methods=["POST"])
    def reached(path: str) -> str:
        return "reached"

    scope = {
        "type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": list(headers),
        "client": client, "server": server,
    }  # fmt: skip
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(app(scope, receive, send))
    return said[0].get("status", said[0]["type"]), b"".join(message.get("body", b"") for message in said)


@pytest.mark.parametrize(
    "path", ["/v1/control/start-run", "/v1/runtime/acquire-task", "/docs", "/", "/v1/fleetx", "/v1/fleet"]
)
@pytest.mark.parametrize("client", [("10.0.0.1", 5), ("fd00::1", 5), ("::ffff:10.0.0.1", 5), ("", 0), None])
def test_outsiders_are_refused(path: str, client: tuple[str, int] | None) -> None:
    assert ask(path, client) == (403, REFUSED.encode())


@pytest.mark.parametrize("path", ["/v1/fleet/pull-messages", "/v1/fleet/activate-node", "/health"])
def test_outsiders_reach_the_fleet(path: str) -> None:
    assert ask(path, ("10.0.0.1", 5)) == (200, b'"reached"')


@pytest.mark.parametrize(
    "path", ["/v1/fleet/../control/start-run", "/v1/fleet/%2e%2e/control/start-run", "/v1/fleet//"]
)
def test_a_path_is_no_way_around(path: str) -> None:
    """What begins like the fleet's is matched as a whole by the application, which takes no dots away."""
    from flwr.superlink.routers.control import router
    from starlette.routing import Match

    scope = {"type": "http", "path": path, "method": "POST", "root_path": "", "headers": []}
    assert all(route.matches(scope)[0] is Match.NONE for route in router.routes)


@pytest.mark.parametrize("client", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"])
def test_the_machine_itself_reaches_everything(client: str) -> None:
    assert ask("/v1/control/start-run", (client, 5))[0] == 200


def test_the_machine_itself_by_its_own_address() -> None:
    assert ask("/v1/runtime/acquire-task", ("10.0.0.5", 5), ("10.0.0.5", 8000))[0] == 200
    assert ask("/v1/runtime/acquire-task", ("10.0.0.6", 5), ("10.0.0.5", 8000))[0] == 403


@pytest.mark.parametrize("header", [b"forwarded", b"x-forwarded-for", b"X-Real-IP", b"via"])
def test_what_was_handed_on_comes_from_elsewhere(header: bytes) -> None:
    assert ask("/v1/control/start-run", ("127.0.0.1", 5), headers=((header, b"127.0.0.1"),))[0] == 403


def test_other_connections_are_closed() -> None:
    assert ask("/v1/control/start-run", ("10.0.0.1", 5), kind="websocket")[0] == "websocket.close"
