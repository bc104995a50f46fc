"""The `taskreel` command. What a command needs is imported when it runs: `--help` and pods start fast."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import commands
from cli.output import prepare, say
from events.errors import SettingsError

WRONG_SETTING = 2
"""Exit status of pod and worker, which tells their supervisor that starting them again is no use."""

WRONG_USAGE = 3

DEFAULT_GRAPHS = ("digest=examples.digest:graph", "approval=examples.approval:graph")

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Durable, resumable, replayable event streams for agent runs.",
    epilog="Exit status: 0 succeeded, 1 failed, 2 cancelled, 3 wrong usage or no connection.",
)

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
    from cli.stack import StackOptions, run_stack
    from events.settings import load

    try:
        settings = load()
    except SettingsError as error:
        return _failed(error, 1)
    graphs = tuple(graph or (() if settings.graphs else DEFAULT_GRAPHS))
    redis_url = settings.redis_url if "TASKREEL_REDIS_URL" in os.environ else None
    return run_stack(StackOptions(host, port, pods, workers, graphs, data, redis_url))


@app.command(epilog="Example: taskreel api --host 0.0.0.0 --port 8000")
def api(host: Host = "127.0.0.1", port: Port = 8000) -> int:
    """Run one pod, for a container. Settings are environment variables, TASKREEL_…"""
    from api.server import serve
    from cli import logs
    from events.settings import load

    logs.configure()
    try:
        serve(load(), host, port)
    except SettingsError as error:
        return _failed(error, WRONG_SETTING)
    return 0


@app.command(epilog="Example: TASKREEL_GRAPHS=digest=examples.digest:graph taskreel worker")
def worker() -> int:
    """Run one worker, for a container. Settings are environment variables, TASKREEL_…"""
    import uvloop

    from cli import logs
    from events.settings import load
    from worker.main import serve

    logs.configure()
    sys.path.append(os.getcwd())  # graphs of the user's own; at the end, lest they hide a module of ours
    try:
        uvloop.run(serve(load()))
    except SettingsError as error:
        return _failed(error, WRONG_SETTING)
    return 0


app.command(epilog="""Example: taskreel submit digest --input '{"sentences": 3}' --follow""")(commands.submit)
app.command(epilog="Example: taskreel tail 019a… --after 1-57 --json")(commands.tail)
app.command(epilog="Example: taskreel replay 019a… --speed 10 --until 1-57")(commands.replay)
app.command(epilog="Example: taskreel ls --status failed --graph digest --json")(commands.ls)
app.command(epilog="Example: taskreel show 019a… --json")(commands.show)
app.command(epilog="Example: taskreel cancel 019a…")(commands.cancel)
app.command(epilog="""Example: taskreel resume 019a… --value '"approve"'""")(commands.resume)


def _failed(error: SettingsError, status: int) -> int:
    say(str(error))
    return status


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    prepare()
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="taskreel", standalone_mode=False)
    except typer.TyperException as error:
        say(f"{' '.join(error.format_message().split())} (--help tells more)")
        status = WRONG_USAGE
    except typer.Abort:
        status = WRONG_USAGE
    sys.exit(status)


if __name__ == "__main__":
    main()
