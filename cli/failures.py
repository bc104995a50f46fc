"""What a `Client` raises. Every message is one line: what was wrong, and what to do."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Base of everything that a `Client` raises on purpose."""


class InvalidRequest(ClientError):
    """What the caller gave cannot be asked: a URL that is none, a cursor that is none."""


class Unreachable(ClientError):
    """No pod answers."""


class BadAnswer(ClientError):
    """Something answers, and it is not a Taskreel pod, or not one that this client understands."""


class Refused(ClientError):
    """A pod's problem document (RFC 9457); the message is `code: detail`.

    Attributes:
        status: of HTTP.
        code: one word for programs, such as `task_not_found`.
        document: all of it.
    """

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.code = str(document["code"])
        self.document = document
        detail = document.get("detail") or document.get("title") or f"HTTP status {status}"
        super().__init__(" ".join(f"{self.code}: {detail}".split()))


class Passing(Exception):
    """Trouble that may be over at the next try; it never leaves the client.

    Attributes:
        asked: for how many seconds the server wants peace, if it said so.
        error: what to raise when patience ends; None: nothing answers.
        silent: whether a connection was there and nothing came over it.
    """

    def __init__(
        self,
        why: str,
        asked: float | None = None,
        error: ClientError | None = None,
        *,
        silent: bool = False,
    ) -> None:
        super().__init__(why)
        self.silent = silent
        self.asked = asked
        self.error = error
