"""The `taskreel` command. What a command needs is imported when it runs: `--help` and pods start fast."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import commands, completion, keys
from cli.output import prepare, say
from events.errors import SettingsError

WRONG_SETTING = 2
"""Exit status of pod and worker, which tells their supervisor that starting them again is no use."""

WRONG_USAGE = 3

DEFAULT_GRAPHS = tuple(
    f"{name}=examples.{name}:graph" for name in ("digest", "approval", "analysts", "thinker")
)

app = typer.Typer(
    add_completion=False,  # ours takes a shell's name, and knows tasks and graphs
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Durable, resumable, replayable event streams for agent runs.",
    epilog="Exit status: 0 succeeded, 1 failed, 2 cancelled, 3 wrong usage or no connection.",
)
app.callback()(completion.options)

Host = Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")]
Port = Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="Port to listen on.")]


@app.command(epilog="Example: taskreel up --pods 2 --graph mine=my_package.agent:graph")
def up(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="First pod's port.")] = 8000,
    pods: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="How many, each on a port.")] = 1,
    workers: Annotated[int, typer.Option(metavar="N", min=0, max=64, help="How many.")] = 1,
    graph: Annotated[
        list[str] | None, typer.Option(metavar="NAME=MODULE:ATTR", help="A graph to serve; may be repeated.")
    ] = None,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the embedded Valkey keeps its data.")
    ] = Path(".taskreel"),
) -> int:
    """Run the whole system on this machine until Ctrl-C.

    Without TASKREEL_REDIS_URL it brings its own Valkey.
    """
    from api.auth.binding import check_binding
    from cli.stack import StackOptions, run_stack
    from events.settings import load

    try:
        settings = load()
        check_binding(settings.auth, host)
    except SettingsError as error:
        return _failed(error, 1)
    graphs = tuple(graph or (() if settings.graphs else DEFAULT_GRAPHS))
    redis_url = settings.redis_url if "TASKREEL_REDIS_URL" in os.environ else None
    return run_stack(StackOptions(host, port, pods, workers, graphs, data, redis_url))


@app.command(epilog="Example: taskreel api --host 0.0.0.0 --port 8000")
def api(host: Host = "127.0.0.1", port: Port = 8000) -> int:
    """Run one pod, for a container. Settings are environment variables, TASKREEL_…"""
    from api.edge.server import serve
    from cli import logs
    from cli.tracing import exporting
    from events.preflight import check
    from events.settings import load

    logs.configure()
    try:
        settings = load()
        logs.begin(settings)
        check(settings, "api")
        with exporting("api"):
            serve(settings, host, port)
    except SettingsError as error:
        return _failed(error, WRONG_SETTING)
    return 0


@app.command(epilog="Example: TASKREEL_GRAPHS=digest=examples.digest:graph taskreel worker")
def worker(
    metrics_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="Port for /metrics and /healthz; default: none."),
    ] = None,
) -> int:
    """Run one worker, for a container. Settings are environment variables, TASKREEL_…"""
    import uvloop

    from cli import logs
    from cli.tracing import exporting
    from events.preflight import check
    from events.settings import load
    from worker.main import serve

    logs.configure()
    sys.path.append(os.getcwd())  # graphs of the user's own; at the end, lest they hide a module of ours
    try:
        settings = load()
        logs.begin(settings)
        check(settings, "worker")
        if metrics_port is not None:
            settings = settings.model_copy(update={"metrics_port": metrics_port})
        with exporting("worker"):
            uvloop.run(serve(settings))
    except SettingsError as error:
        return _failed(error, WRONG_SETTING)
    return 0


for _command, _examples in commands.EXAMPLES.items():
    app.command(epilog="\n".join(["\b", "Examples:", *(f"  {line}" for line in _examples)]))(_command)

app.add_typer(keys.app, name="keys")


def _failed(error: SettingsError, status: int) -> int:
    from events.redaction import USUAL

    say(USUAL.text(str(error)))
    return status


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    prepare()
    try:
        words = completion.with_shell(sys.argv[1:]) or ["--help"]
        status = app(words, prog_name="taskreel", standalone_mode=False)
    except typer.TyperException as error:
        message = " ".join(error.format_message().split()).replace(": Value error, ", ": ")
        say(f"{message} (--help tells more)")
        status = WRONG_USAGE
    except typer.Abort:
        status = WRONG_USAGE
    sys.exit(status)


if __name__ == "__main__":
    main()
