"""What a scraper of metrics gets, and who it has to be: alike for pods and workers.

Metrics tell no tenant's content, but how busy the system is and what fails. So where requests need a
credential, a scraper needs one as well: its own, which opens nothing else, and no tenant's opens this.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence
from enum import Enum, auto

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from events.loopback import is_loopback
from events.settings import Auth, Settings

log = logging.getLogger(__name__)

OPENMETRICS = "application/openmetrics-text"


class Admitted(Enum):
    """What becomes of a scraper."""

    YES = auto()
    """It gets the metrics."""

    NO = auto()
    """Its token is missing or wrong."""

    NOBODY = auto()
    """There is no token, so there are no metrics."""


class ScraperToken:
    """Who may read a process's metrics.

    With `TASKREEL_METRICS_TOKEN` whoever shows it. Without, everybody on a process that asks nobody who they
    are and that only its own machine can reach; else nobody.

    Args:
        settings: with the token.
        host: where the process listens for scrapers; None for a pod, which looks after that by itself.

    Attributes:
        needed: somebody has to show one.
    """

    def __init__(self, settings: Settings, host: str | None = None) -> None:
        near = host is None or is_loopback(host)
        self._open = settings.auth is Auth.OFF and near
        self._token = settings.metrics_token
        self.needed = not self._open or self._token is not None

    def admit(self, authorization: Sequence[str]) -> Admitted:
        """Whether whose request has those Authorization headers may read them."""
        if self._token is None:
            return Admitted.YES if self._open else Admitted.NOBODY
        if len(authorization) != 1:
            return Admitted.NO
        scheme, _, token = authorization[0].partition(" ")
        # Of bytes, for text that isn't ASCII can't be compared.
        right = hmac.compare_digest(token.strip().encode(), self._token.encode())
        return Admitted.YES if right and scheme.lower() == "bearer" else Admitted.NO

    def announce(self) -> None:
        """Say in the log if there are no metrics, and why."""
        if self._token is None and not self._open:
            log.warning("/metrics is not served: set TASKREEL_METRICS_TOKEN to what its scraper shall send")


def exposition(accept: str) -> tuple[bytes, str]:
    """All metrics of this process, and their media type: OpenMetrics if `accept` names it, else text."""
    # The library would repeat the version that it's asked for, and fails at one that is none.
    encode, media_type = choose_encoder(OPENMETRICS if OPENMETRICS in accept.lower() else "")
    return encode(REGISTRY), media_type
