"""What a browser is served: the console's files, under its policy, and the API's page."""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

import pytest

from api.pages import FOLDER
from tests.support.http import code
from tests.support.pods import RunningPod
from tests.support.wire import exchange

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.*"))
OTHER_HOST = re.compile(r"(?:https?:)?//(?!www\.w3\.org/)[\w-]+\.[\w.-]+")


@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "application/json", "*/*"])
async def test_the_root_is_the_console(pod: RunningPod, accept: str) -> None:
    """Whoever asks gets the page, and no page of another origin gets it into a frame."""
    answer = await pod.client.get("/", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert HEADERS.items() <= answer.headers.items()
    assert answer.content == (FOLDER / "index.html").read_bytes()


async def test_every_file_is_served_as_it_is(pod: RunningPod, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its own type, whatever the machine calls it: a browser runs no module that isn't JavaScript."""
    mimetypes.init()
    for suffix in TYPES:
        monkeypatch.setitem(mimetypes.types_map, suffix, "text/plain")
    assert {Path(name).suffix for name in FILES} == TYPES.keys()
    for name in FILES:
        answer = await pod.client.get(f"/console/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"] == TYPES[Path(name).suffix], name
        assert HEADERS.items() <= answer.headers.items(), name
        assert answer.content == (FOLDER / name).read_bytes(), name


@pytest.mark.parametrize("path", ["/", "/console/base.css"])
async def test_a_file_that_is_known_is_not_sent_again(pod: RunningPod, path: str) -> None:
    """A 304 has the headers of the 200, so that a cache doesn't forget the policy; HEAD has them too."""
    first = await pod.client.get(path)
    head = await pod.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(first.content))
    for etag in (first.headers["etag"], f'"x", {first.headers["etag"]}', f"W/{first.headers['etag']}", "*"):
        again = await pod.client.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b""), etag
        assert HEADERS.items() <= again.headers.items()
        assert again.headers["etag"] == first.headers["etag"]
    changed = await pod.client.get(path, headers={"If-None-Match": '"another"'})
    assert (changed.status_code, changed.content) == (200, first.content)


@pytest.mark.parametrize(
    "path",
    [
        "/console/CANARY.js", "/console/", "/console/.", "/console/..", "/console/../pages.py",
        "/console/../../README.md", "/console/%2e%2e/pages.py", "/console/..%2fpages.py",
        "/console/..%5cpages.py", "/console//etc/passwd", "/console/%2fetc%2fpasswd", "/console/%00",
        "/console/base.css/CANARY", f"/console/{'x' * 5000}", "/CANARY.html",
    ],
)  # fmt: skip
async def test_nothing_else_is_served(pod: RunningPod, path: str) -> None:
    """What isn't a file of the console is a 404, however it's spelled; the spelling isn't repeated."""
    request = f"GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n"
    answer = await exchange(pod, request.encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 "), head
    assert b"content-type: application/problem+json" in head
    assert b'"code":"not_found"' in body
    assert b"CANARY" not in answer


async def test_files_are_only_read(pod: RunningPod) -> None:
    """Another method is told which there are."""
    for method in ("POST", "PUT", "DELETE"):
        for path in ("/", "/console/base.css"):
            answer = await pod.client.request(method, path)
            assert code(answer) == (405, "method_not_allowed")
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_the_page_of_the_api_names_no_other_host(pod: RunningPod) -> None:
    """It works offline: what it loads is the pod's, and no validator is asked what it thinks of the API."""
    page = await pod.client.get("/docs")
    assert page.headers["content-security-policy"] == DOCS_POLICY
    assert OTHER_HOST.findall(page.text) == []
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 4
    for path in loaded:
        answer = await pod.client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-security-policy"] in (POLICY, DOCS_POLICY), path
    assert "validatorUrl: null" in (await pod.client.get("/console/docs/docs.js")).text
    assert code(await pod.client.get("/redoc")) == (404, "not_found")


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".js")])
def test_no_file_names_another_host(name: str) -> None:
    """The policy would refuse what it holds, but it shouldn't be there in the first place."""
    assert OTHER_HOST.findall((FOLDER / name).read_text()) == []
