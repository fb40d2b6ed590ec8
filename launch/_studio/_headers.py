"""What each answer of the server tells the browser."""

from collections.abc import Awaitable, Callable
from typing import Any

_App = Callable[[Any, Any, Any], Awaitable[None]]
# Nothing is loaded from, sent to, or shown within the page of anyone else.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
_ADDED = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


def own_alone(app: _App) -> _App:
    """The application, with headers that keep the page to this server."""

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        async def send_more(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_ADDED]}
            await send(message)

        await app(scope, receive, send_more)

    return answered
