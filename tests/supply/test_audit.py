"""`make audit` and `make sbom`: what they say, and that the audit never says more than it knows."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.support.server import free_port

ROOT = Path(__file__).resolve().parents[2]
LOCK = "sniffer==1.0 --hash=sha256:" + "0" * 64 + "\ntypist==2.0 --hash=sha256:" + "1" * 64 + "\n"

BUG = {"id": "OSV-1", "summary": "bad", "affected": [{"package": {"name": "typist", "ecosystem": "PyPI"}}]}
OLD: dict[str, Any] = {"vulns": [{"id": "OSV-0", "affected": []}]}


@contextlib.contextmanager
def osv(known: dict[str, Any], status: int = 200) -> Generator[str]:
    """Somebody who answers as OSV does, with what is known of a package by its name; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        """Answers each question by the package's name."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer one question."""
            size = int(self.headers["Content-Length"])
            question = json.loads(self.rfile.read(size))
            body = json.dumps(known.get(question["package"]["name"], {})).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def audit(url: str, folder: Path, lock: str = LOCK) -> subprocess.CompletedProcess[str]:
    """Run the audit of a lock against that OSV."""
    path = folder / "requirements.txt"
    path.write_text(lock)
    words = [sys.executable, str(ROOT / ".ci/audit.py"), "--osv-url", url, "--lock", str(path)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def test_finding_fails_the_audit(tmp_path: Path) -> None:
    """What is known against a requirement is told by name, and the exit status is 1."""
    with osv({"jinja2": OLD, "typist": {"vulns": [BUG]}}) as url:
        done = audit(url, tmp_path)
    assert done.returncode == 1
    assert "typist 2.0: OSV-1, not fixed yet\n" in done.stdout
    assert "audited: 2 requirements, 1 findings\n" in done.stdout


def test_audit_without_a_finding(tmp_path: Path) -> None:
    """Where nothing is known against any requirement, it says how many were looked up."""
    with osv({"jinja2": OLD}) as url:
        done = audit(url, tmp_path)
    assert (done.returncode, done.stdout) == (0, "audited: 2 requirements, 0 findings\n")


def test_audit_that_reaches_nobody_does_not_pretend(tmp_path: Path) -> None:
    """Without OSV it says that nothing was audited, and fails nobody's build for it."""
    done = audit(f"http://127.0.0.1:{free_port()}/v1/query", tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("not audited: OSV can't be reached (ConnectError). Run `make audit` where")


def test_audit_does_not_trust_who_knows_nothing(tmp_path: Path) -> None:
    """Who answers every question with nothing, as an index's mirror may, isn't taken for OSV."""
    with osv({}) as empty:
        silent = audit(empty, tmp_path)
    with osv({"jinja2": OLD}, status=503) as broken:
        refused = audit(broken, tmp_path)
    for done in (silent, refused):
        assert done.returncode == 0
        assert done.stdout.startswith("not audited: what answers for OSV (")


def test_lock_that_cannot_be_read_fails_the_audit(tmp_path: Path) -> None:
    """A requirement without a hash is no reason to audit the others and call it a day."""
    with osv({"jinja2": OLD}) as url:
        done = audit(url, tmp_path, lock=LOCK + "loose==3.0\n")
    assert done.returncode == 1
    assert done.stdout.startswith("the audit failed")


def test_bill_of_materials_is_valid_and_whole(tmp_path: Path) -> None:
    """`make sbom` lists every locked requirement with its hash, as CycloneDX's own schema has it."""
    recipe = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "cyclonedx_py" in line)
    path = tmp_path / "sbom.json"
    words = (
        recipe.strip().replace("$(BIN)/python", sys.executable).replace("dist/taskreel.cdx.json", str(path))
    )
    subprocess.run(words.split(), cwd=ROOT, check=True, timeout=60)
    text = path.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = cast("dict[str, Any]", json.loads(text))
    listed = {(part["name"], part["version"]) for part in bill["components"]}
    locked = [
        line.split(" ")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    ]
    assert listed == {
        (name.partition("[")[0], version) for name, _, version in (it.partition("==") for it in locked)
    }
    assert bill["metadata"]["component"]["name"] == "taskreel"
    assert all(part["externalReferences"][0]["hashes"] for part in bill["components"])
