"""The `taskreel` command."""

from __future__ import annotations

import typer

from events.errors import SettingsError

app = typer.Typer(add_completion=True)


@app.command()
def api(host: str = "127.0.0.1", port: int = 8000) -> None:
    import uvicorn

    from api.app import create_app
    uvicorn.run(create_app(), host=host, port=port, log_level="warning", server_header=False, timeout_graceful_shutdown=6)


@app.command()
def worker() -> None:
    import uvloop

    from events.settings import load
    from worker.main import serve
    uvloop.run(serve(load()))


def main() -> None:
    try:
        app()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2)

if __name__ == "__main__":
    main()
