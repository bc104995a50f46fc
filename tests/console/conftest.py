"""One browser and one system for all tests of a process; new pages for each test, watched to its end.

All of it lives in one event loop, that of the session, and so do the tests of this folder.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import Tabs, find_chromium, running_browser
from tests.support.console import ConsoleSystem, console_system
from tests.support.logs import ids, plant


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and put the asynchronous ones into the session's event loop."""
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(pytest.mark.browser)
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """Debian's Chromium, started when the first test asks for it."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("there is no Chromium here to look at the console with; on Debian: apt install chromium")
    async with running_browser(executable) as it:
        yield it


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lasting_system(redis_port: int, browser: Browser) -> AsyncGenerator[ConsoleSystem]:
    """Two pods and a worker, started when the first test asks for `system`, and only where a browser is."""
    async with console_system(redis_port) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def system(lasting_system: ConsoleSystem) -> ConsoleSystem:
    """The system, whole again after whatever the test before has killed."""
    await lasting_system.mend()
    return lasting_system


@pytest_asyncio.fixture(loop_scope="session")
async def tabs(browser: Browser, system: ConsoleSystem) -> AsyncGenerator[Tabs]:
    """Opens pages of the first pod; fails a test whose pages did what they shouldn't."""
    it = Tabs(browser, system.url)
    yield it
    await it.close()
    assert not it.unexpected(), "\n".join(it.unexpected())


@pytest_asyncio.fixture(loop_scope="session")
async def ten(system: ConsoleSystem) -> str:
    """A live task with the log 0-1, 1-2 … 1-10, which only the test writes."""
    task_id = await system.bare_task()
    await plant(system.log, task_id, ids("1-2", "1-10"))
    return task_id
