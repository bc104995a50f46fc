"""What the supervisor looks at from outside: ports, pods, and what an earlier life has left in Redis."""

from __future__ import annotations

import socket

import httpx
from redis import Redis

from cli.embedded import StackError
from events.keys import Keys
from events.settings import load


def forget_graphs(url: str) -> None:
    """On data that nobody else uses, no worker of an earlier life serves anything any more."""
    with Redis.from_url(url) as redis:
        redis.delete(Keys(load().key_prefix).graphs)


def check_port(host: str, port: int) -> None:
    """Refuse what a pod could not listen on."""
    if not 0 < port < 65536:
        raise StackError(f"there is no port {port}; try another --port")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise StackError(f"cannot listen on {host}:{port}: {error.args[-1]}; try another --port") from error


def why_not_ready(pod: str, *, graphs: bool) -> str | None:
    """What the pod at this URL still lacks: an answer, its Redis, or, if asked for, a graph."""
    try:
        ready = httpx.get(f"{pod}/readyz", timeout=2, trust_env=False, verify=False)
        if ready.status_code != 200:
            return f"{pod}/readyz answers {ready.status_code}"
        listed = httpx.get(f"{pod}/graphs", timeout=2, trust_env=False, verify=False)
    except httpx.HTTPError as error:
        return f"{pod} gives no answer ({error})"
    wanted = graphs and listed.status_code != 401  # 401: it wants a key, which we don't have
    return f"{pod}/graphs lists none" if wanted and b'"name"' not in listed.content else None


def pod_url(host: str, port: int) -> str:
    """Where this machine reaches a pod that listens on `host`."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"
