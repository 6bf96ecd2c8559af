"""The HTTP server of receiver and dashboard, with a real client on a connection that is kept open."""

import time

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tracelith.http_server import HttpServer

DELAYED_CONFIRMATION_S = 0.040
"""How long Linux waits before it confirms a packet by itself; an answer in two packets would wait for that."""


def test_an_answer_on_a_kept_connection_does_not_wait_for_its_own_head_to_be_confirmed() -> None:
    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    server = HttpServer(Starlette(routes=[Route("/", hello)]), "127.0.0.1:0", option="--web")
    seconds = []

    with httpx.Client(base_url=f"http://{server.address}", trust_env=False) as client:
        for _ in range(30):
            began = time.monotonic()
            client.get("/")
            seconds.append(time.monotonic() - began)

    server.stop()
    # The fastest: a busy machine makes some slow, but without the fix none is faster.
    assert min(seconds) < DELAYED_CONFIRMATION_S / 2
