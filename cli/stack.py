"""The supervisor behind `taskreel up`: the whole system on this machine, and nothing of it afterwards.

One thread, one loop, ten looks a second. All other processes are in the guard's process group, so a
terminal's Ctrl-C reaches the supervisor alone, which ends pods and workers, then Valkey, then the guard.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cli.embedded import EmbeddedValkey, StackError, stop_all
from cli.guard import Guard
from cli.probes import check_port, forget_graphs, pod_url, why_not_ready
from events.servers.urls import shown

READY_SECONDS = 60.0
DRAIN_SECONDS = 8.0
"""What pods and workers have to end, and Valkey after them; a pod needs up to 5 s for its streams."""
LONGEST_PAUSE, SETTLED_SECONDS = 10.0, 60.0
"""A process that ends before it has settled is started again after ever longer pauses."""


@dataclass(frozen=True)
class StackOptions:
    """What `taskreel up` was asked for; the pods take `port`, `port` + 1, …"""

    host: str = "127.0.0.1"
    port: int = 8000
    pods: int = 1
    workers: int = 1
    graphs: tuple[str, ...] = ()
    """Each NAME=module:attr; none: TASKREEL_GRAPHS is inherited."""
    data_dir: Path = Path(".taskreel")
    redis_url: str | None = None
    """None: an embedded Valkey on `data_dir`."""


Command = Callable[..., list[str]]


def taskreel(*words: str) -> list[str]:
    """A command line of ours; -P, lest a folder `api` or `worker` of the user's own be taken for ours."""
    return [sys.executable, "-P", "-m", "cli.main", *words]


@dataclass
class Child:
    """One place in the stack: how it is filled, and by what at present."""

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    when: str = "early"
    port: int | None = None
    shortest_pause: float = 0.5
    pause: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    began: float = 0.0
    due: float = 0.0

    def start(self) -> subprocess.Popen[bytes]:
        self.process = self.spawn()
        self.starts += 1
        self.began = time.monotonic()
        return self.process

    def ended(self, process: subprocess.Popen[bytes]) -> str:
        """Plan the next start and tell of the end; status 2 at the very first start raises StackError."""
        code, young = process.returncode, time.monotonic() - self.began < SETTLED_SECONDS
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        if code == 2 and young and self.starts == 1 and self.when == "early":
            raise StackError(f"{self.name} {how}: a setting is wrong, see its line above; all is stopped")
        self.pause = min(self.pause * 2, LONGEST_PAUSE) if young and self.pause else self.shortest_pause
        self.due = time.monotonic() + self.pause
        self.process = None
        return f"{self.name} (pid {process.pid}) {how}; it is started again in {self.pause:g} s"


class Stopping(Exception):
    """A signal asked us to stop."""


class Stack:
    """Guard, Valkey, workers and pods; `run` has them start, live and end."""

    def __init__(self, options: StackOptions, command: Command = taskreel) -> None:
        self._options, self._command = options, command
        self._ports = range(options.port, options.port + options.pods)
        self._pods = [pod_url(options.host, port) for port in self._ports]
        self._environment = dict(os.environ)
        self._valkey: EmbeddedValkey | None = None
        self._guard: Guard | None = None
        self._children: list[Child] = []
        self._signals, self._last_signal = 0, 0.0

    def run(self) -> int:
        """Until a signal comes: 0. A StackError tells what went wrong. Nothing is left in either case."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays in force
                signal.signal(number, self._on_signal)
        try:
            self._start()
            self._wait_ready()
            say(self._banner())
            while True:
                self._turn()
        except Stopping:
            return 0
        finally:
            self._stop()

    def _on_signal(self, _number: int, _frame: object) -> None:
        now = time.monotonic()
        if not self._signals or now - self._last_signal > 0.5:  # `timeout` and shells send the same one twice
            self._signals += 1
        self._last_signal = now

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)
        if self._signals:
            raise Stopping

    def _start(self) -> None:
        options, url = self._options, self._options.redis_url
        if not url:
            self._valkey = EmbeddedValkey(options.data_dir)
            url = self._valkey.url
        for port in self._ports:
            check_port(options.host, port)
        self._environment["TASKREEL_REDIS_URL"] = url
        self._environment.setdefault("TASKREEL_POD_DRAIN_SECONDS", "0")  # no load balancer needs to notice
        self._environment.setdefault("TASKREEL_DRAIN_SECONDS", "1")  # whose finger is on Ctrl-C waits
        self._environment.setdefault("TASKREEL_ACCESS_LOG", "false")  # a console asks every few seconds
        self._environment.pop("TASKREEL_METRICS_PORT", None)  # several workers can't have one port
        if options.graphs:
            self._environment["TASKREEL_GRAPHS"] = ",".join(options.graphs)
        say("starting…")
        self._guard = Guard(self._valkey.lock if self._valkey else None)
        if self._valkey:
            valkey = self._add(Child("valkey", partial(self._valkey.start, self._guard), when="late"))
            self._valkey.wait_ready(valkey, self._pause)
            forget_graphs(url)
        spawn = partial(self._guard.spawn, environment=self._environment)
        for n in range(options.workers):
            self._add(Child(f"worker-{n + 1}", partial(spawn, self._command("worker"))))
        for n, port in enumerate(self._ports):
            command = self._command("api", "--host", options.host, "--port", str(port))
            self._add(Child(f"pod-{n + 1}", partial(spawn, command), port=port, shortest_pause=1.0))

    def _add(self, child: Child) -> subprocess.Popen[bytes]:
        self._children.append(child)
        return child.start()

    def _turn(self) -> None:
        """One look at everything, and a pause."""
        if self._guard and self._guard.process.poll() is not None:
            raise StackError("the guard process has ended, and nothing may run here without it")
        for child in self._children:
            if child.process and child.process.poll() is not None:
                say(child.ended(child.process))
            elif not child.process and time.monotonic() >= child.due:
                say(f"{child.name} is started again, pid {child.start().pid}")
        self._pause(0.1)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        for pod in self._pods:
            while reason := why_not_ready(pod, graphs=self._options.workers > 0):
                if time.monotonic() > deadline:
                    raise StackError(f"not ready after {READY_SECONDS:g} s: {reason}")
                self._turn()

    def _banner(self) -> str:
        redis = self._environment["TASKREEL_REDIS_URL"]
        data = self._options.data_dir.resolve() if self._valkey else shown(redis)
        lines = ["everything is up; Ctrl-C stops it", ""]
        lines += [f"  pod      {pod}  (its console; its API: {pod}/docs)" for pod in self._pods]
        lines += [f"  data     {data}", "", f"  {'name':<10} {'pid':>8} {'port':>6}"]
        for child in self._children:
            pid = child.process.pid if child.process else "-"
            lines.append(f"  {child.name:<10} {pid:>8} {child.port or '-':>6}")
        return "\n".join(lines)

    def _stop(self) -> None:
        if self._guard is not None:
            say("stopping…")
            self._end("early")
            self._end("late")
            self._guard.close()
        if self._valkey is not None:
            self._valkey.close()

    def _end(self, when: str) -> None:
        """End those of one kind; one more signal kills them at once."""
        heard = self._signals
        processes = [child.process for child in self._children if child.when == when and child.process]
        stop_all(processes, DRAIN_SECONDS, lambda: self._signals > heard)


def say(line: str) -> None:
    """One message on stderr; a reader that went away is no reason to fail."""
    with suppress(OSError):
        sys.stderr.write(f"taskreel: {line}\n")
        sys.stderr.flush()


def run_stack(options: StackOptions, command: Command = taskreel) -> int:
    """Run everything until Ctrl-C or SIGTERM; gives the exit status, 1 with one line told when it can't."""
    try:
        return Stack(options, command).run()
    except (StackError, OSError) as error:
        say(str(error))
        return 1
