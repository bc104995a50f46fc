"""How long an example that needs no network lingers, so that people can watch it."""

import asyncio
from random import uniform


async def linger(seconds: float) -> None:
    """Wait about so many seconds, now less and now more, as a network would; 0 only lets others go first."""
    await asyncio.sleep(seconds * uniform(0.5, 1.5))
