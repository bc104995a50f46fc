"""Identity: how a pod knows whose requests it has, as TASKREEL_AUTH says, and when they end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from redis.asyncio import Redis

from api.auth.apikeys import ApiKeys
from api.auth.cross_origin import Origins
from api.auth.gate import Authenticator, Gate
from api.auth.jwt import Jwt
from api.auth.secret import Secret
from api.auth.tickets import Tickets
from api.auth.watch import CredentialWatch, StillValid
from events.apikeys import KeyDirectory, read_declared
from events.keys import Keys
from events.scraping import ScraperToken
from events.settings import Auth, Settings

Loop = Coroutine[Any, Any, None]


class Identity:
    """All that has to do with who a request is from.

    Args:
        settings: how that is known, and what it needs.
        redis: where API keys are.
        keys: what they are called there.

    Attributes:
        auth: how that is known.
        gate: lets requests in.
        origins: whose pages may send some.
        tickets: for the streams of browsers.
        watch: ends streams with their credentials.

    Raises:
        SettingsError: a setting that it needs is missing or wrong.
    """

    def __init__(self, settings: Settings, redis: Redis, keys: Keys) -> None:
        self.auth = settings.auth
        authenticator: Authenticator | None = None
        still_valid: StillValid | None = None
        self._follow: Callable[[], Loop] | None = None
        match settings.auth:
            case Auth.KEYS:
                known = ApiKeys(KeyDirectory(redis, keys), read_declared(settings.api_keys))
                authenticator, still_valid = known, known.still_valid
                self._follow = lambda: known.run(self.watch.credentials, self.watch.revoked)
            case Auth.JWT:
                tokens = Jwt(settings)
                authenticator, self._follow = tokens, tokens.run
            case Auth.OFF:
                pass
        self.watch = CredentialWatch(still_valid)
        self.origins = Origins(settings.cors_origins)
        self.tickets = Tickets(
            redis,
            keys,
            Secret(redis, keys, settings.secret),
            origins=self.origins,
            still_valid=still_valid,
            same_site=settings.cookie_samesite,
        )
        scraper = ScraperToken(settings)
        scraper.announce()
        self.gate = Gate(authenticator, self.tickets, self.origins, scraper)

    def loops(self) -> list[Loop]:
        """What is to run as long as the pod does."""
        return [self.watch.run(), *([] if self._follow is None else [self._follow()])]
