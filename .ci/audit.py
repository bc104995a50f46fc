"""`make audit`: is anything known against the locked runtime requirements? Asks OSV, by pip-audit.

Exits with 1 on a finding. Where OSV can't be reached it says so, and exits with 0: then nothing was audited,
and nothing is said of the requirements. Whether it can is tried with a package that it must know something
of: an index or a proxy that answers for it, and knows nothing, would pass for a clean audit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

OSV = "https://api.osv.dev/v1/query"
LOCK = Path(__file__).resolve().parents[1] / "requirements.txt"

PROBE = {"package": {"name": "jinja2", "ecosystem": "PyPI"}, "version": "2.4.1"}
"""The example of https://google.github.io/osv.dev/post-v1-query/; it has had findings since 2014."""

SECONDS = 15


def main(arguments: Sequence[str]) -> int:
    """Audit the lock; gives the exit status."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--osv-url", default=OSV, help="where OSV is")
    parser.add_argument("--lock", type=Path, default=LOCK, help="the requirements, with hashes")
    wanted = parser.parse_args(arguments)
    if lack := why_not(wanted.osv_url):
        _say(f"not audited: {lack}. Run `make audit` where {wanted.osv_url} can be reached.")
        return 0
    words = ["-s", "osv", "--osv-url", wanted.osv_url, "-r", str(wanted.lock), "--require-hashes"]
    words += ["--disable-pip", "--progress-spinner", "off", "-f", "json"]
    done = subprocess.run([sys.executable, "-m", "pip_audit", *words], capture_output=True, text=True)
    try:
        return report(json.loads(done.stdout)["dependencies"])
    except (json.JSONDecodeError, KeyError):
        _say(f"the audit failed, pip-audit exited with {done.returncode}:\n{done.stderr[-2000:]}")
        return 1


def why_not(osv_url: str) -> str | None:
    """Why nothing can be learned from OSV; None if it can."""
    try:
        answer = httpx.post(osv_url, json=PROBE, timeout=SECONDS)
        known = answer.is_success and bool(answer.json().get("vulns"))
    except httpx.HTTPError as error:
        return f"OSV can't be reached ({type(error).__name__})"
    except (ValueError, AttributeError):
        return "what answers for OSV doesn't speak its language"
    return None if known else f"what answers for OSV ({answer.status_code}) knows nothing of an old jinja2"


def report(dependencies: Sequence[dict[str, Any]]) -> int:
    """Say what was found; 1 if that is anything, or if a requirement was left out."""
    skipped = [f"{it['name']}: {it['skip_reason']}" for it in dependencies if "skip_reason" in it]
    findings = [
        f"{it['name']} {it['version']}: {bug['id']}, {_fixed(bug['fix_versions'])}"
        for it in dependencies
        for bug in it.get("vulns", ())
    ]
    for line in (*skipped, *findings):
        _say(line)
    _say(f"audited: {len(dependencies) - len(skipped)} requirements, {len(findings)} findings")
    return 1 if findings or skipped or not dependencies else 0


def _fixed(versions: Sequence[str]) -> str:
    return f"fixed in {', '.join(versions)}" if versions else "not fixed yet"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
