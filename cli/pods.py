"""The pods that a client may ask: one address each, and which of them is the one to ask now."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from cli.failures import ClientError, InvalidRequest, Passing, Unreachable


class Pods:
    """One or more base URLs of pods of the same system; any of them can serve anything.

    Args:
        base_urls: a list, or one string with commas between, such as `http://a:8000,http://b:8000`.

    Attributes:
        current: the one to ask.
        reached: whether any of them has ever answered.

    Raises:
        InvalidRequest: one of them is no http or https URL.
    """

    def __init__(self, base_urls: str | Sequence[str]) -> None:
        given = base_urls.split(",") if isinstance(base_urls, str) else base_urls
        self._urls = [_checked(url.strip()) for url in given if url.strip()]
        if not self._urls:
            raise InvalidRequest("there is no URL of a pod: give one, such as http://127.0.0.1:8000")
        self._place = 0
        self.reached = False

    def __len__(self) -> int:
        return len(self._urls)

    @property
    def current(self) -> str:
        """The base URL to ask, without a slash at its end."""
        return self._urls[self._place]

    def advance(self) -> None:
        """Turn to the next one."""
        self._place = (self._place + 1) % len(self._urls)

    def final(self, trouble: Passing) -> ClientError:
        """The error to raise when trouble, the last of a series, is not waited for any longer."""
        where = " or ".join(self._urls)
        hint = "is it running, and is the URL (TASKREEL_URL) right?"
        return trouble.error or Unreachable(f"cannot reach {where}: {trouble}; {hint}")


def _checked(text: str) -> str:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise InvalidRequest(f"{text!r} is no URL of a pod: it takes http://HOST:PORT or https://HOST")
    return text.rstrip("/")
