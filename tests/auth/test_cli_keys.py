"""`taskreel keys`: keys made, listed and revoked, and what goes wrong told in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from events.apikeys import KeyRecord, read_declared, split_key
from tests.support.system import Taskreel, in_process
from tests.test_embedded import running

KEY = r"tr_[a-z0-9]{12}_[A-Za-z0-9_-]{43}"


@pytest.fixture
def prefix(redis_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The key prefix of commands that this test runs."""
    name = f"test-{uuid4().hex[:8]}"
    monkeypatch.setenv("TASKREEL_KEY_PREFIX", name)
    monkeypatch.setenv("TASKREEL_REDIS_URL", f"redis://127.0.0.1:{redis_port}/0")
    yield name
    with Redis(port=redis_port) as redis:
        redis.delete(f"{name}:keys")


@pytest.fixture
def taskreel(prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Taskreel:
    """Runs a command in this process."""
    del prefix
    return in_process(monkeypatch, capsys)


def test_a_new_key_is_all_of_stdout(taskreel: Taskreel, redis_port: int, prefix: str) -> None:
    """So that a shell's variable can take it; Redis has its record, and not the key."""
    done = taskreel("keys", "new", "--tenant", "acme", "--name", "ada", "--role", "submit")
    assert done.returncode == 0
    assert re.fullmatch(rf"{KEY}\n", done.stdout)
    key_id, secret = split_key(done.stdout.strip()) or ("", "")
    assert done.stderr.startswith(
        f"taskreel: submit key {key_id} of 'ada', tenant 'acme', until it is revoked"
    )
    assert secret not in done.stderr
    with Redis(port=redis_port, decode_responses=True) as redis:
        kept = str(redis.hget(f"{prefix}:keys", key_id))
    assert KeyRecord.model_validate_json(kept).matches(secret)
    assert secret not in kept


def test_keys_are_listed_and_revoked(taskreel: Taskreel) -> None:
    """By tenant, as a table or as JSON, and nowhere with a secret or its hash."""
    made = [
        json.loads(
            taskreel("keys", "new", "--tenant", tenant, "--name", "ci", "--role", "ops", "--json").stdout
        )
        for tenant in ("b", "a")
    ]
    listed = taskreel("keys", "ls")
    heading, *lines = listed.stdout.splitlines()
    assert heading.split() == ["ID", "TENANT", "NAME", "ROLE", "CREATED", "EXPIRES"]
    assert [line.split()[0] for line in lines] == [made[1]["id"], made[0]["id"]]
    as_json = taskreel("keys", "ls", "--tenant", "a", "--json").stdout
    assert json.loads(as_json) == {name: value for name, value in made[1].items() if name != "key"}
    for key in made:
        assert key["key"].split("_", 2)[2] not in listed.stdout + as_json
    assert not re.search("[0-9a-f]{64}|hash", listed.stdout + as_json)
    assert taskreel("keys", "revoke", made[0]["id"]).stdout == "revoked\n"
    assert taskreel("keys", "revoke", made[1]["key"]).stdout == "revoked\n"
    assert taskreel("keys", "ls").stdout.splitlines() == ["ID  TENANT  NAME  ROLE  CREATED  EXPIRES"]


def test_a_declared_key_is_stored_nowhere(taskreel: Taskreel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record is what the setting takes; no Redis is needed for it."""
    monkeypatch.setenv("TASKREEL_REDIS_URL", "redis://127.0.0.1:1/0")
    asked = ("keys", "new", "--name", "ci", "--role", "read", "--declare", "--expires", "2h")
    key, record = taskreel(*asked).stdout.splitlines()
    as_json = json.loads(taskreel(*asked, "--json").stdout)
    for given, kept in ((key, json.loads(record)), (as_json["key"], as_json["record"])):
        key_id, secret = split_key(given) or ("", "")
        assert read_declared(json.dumps([kept]))[key_id].matches(secret)
    assert taskreel("keys", "ls").returncode == 3


@pytest.mark.parametrize(("given", "seconds"), [("90s", 90), ("2h", 7200), ("30d", 2_592_000)])
def test_an_expiry_may_be_a_span(taskreel: Taskreel, given: str, seconds: int) -> None:
    """Counted from the key's creation, to the second it may take to make it."""
    made = json.loads(
        taskreel("keys", "new", "--name", "a", "--role", "read", "--expires", given, "--json").stdout
    )
    span = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert seconds - 60 <= span.total_seconds() <= seconds


def test_an_expiry_may_be_a_time(taskreel: Taskreel) -> None:
    """With its time zone."""
    words = (
        "keys",
        "new",
        "--name",
        "a",
        "--role",
        "read",
        "--json",
        "--expires",
        "2999-01-01T02:00:00+02:00",
    )
    end = json.loads(taskreel(*words).stdout)["expires_at"]
    assert datetime.fromisoformat(end) == datetime(2999, 1, 1, tzinfo=UTC)


NEW = ("keys", "new", "--name", "a", "--role", "read")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((*NEW, "--tenant", "../x"), "'../x' is no tenant"),
        ((*NEW, "--tenant", "Acme"), "'Acme' is no tenant"),
        ((*NEW, "--name", "a b"), "'a b' is no name"),
        ((*NEW, "--name", ""), "'' is no name"),
        ((*NEW, "--role", "admin"), "'admin' is no role: it takes submit, read, ops"),
        ((*NEW, "--expires", "soon"), "'soon' is no expiry"),
        ((*NEW, "--expires", "0d"), "'0d' is no expiry"),
        ((*NEW, "--expires", "999999999w"), "is no expiry"),
        ((*NEW, "--expires", "2027-01-31T00:00:00"), "is no expiry"),
        ((*NEW, "--expires", "2020-01-31T00:00:00Z"), "is over already"),
        (("keys", "new", "--name", "a"), "Missing option '--role'"),
        (("keys", "revoke", "0" * 12), "there is no such key"),
        (("keys", "revoke", "x\x1b[2J"), "there is no such key"),
        (("keys",), "Missing command"),
    ],
)
def test_wrong_usage_is_one_line_and_status_3(taskreel: Taskreel, words: tuple[str, ...], says: str) -> None:
    """With what was expected; no key is made."""
    done = taskreel(*words)
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(rf"taskreel: .*{re.escape(says)}.*\n", done.stderr), done.stderr
    assert taskreel("keys", "ls", "--json").stdout == ""


def test_a_redis_that_is_not_there_is_one_line(taskreel: Taskreel, monkeypatch: pytest.MonkeyPatch) -> None:
    """No password is repeated."""
    monkeypatch.setenv("TASKREEL_REDIS_URL", "redis://ops:canary@127.0.0.1:1/0")
    done = taskreel("keys", "ls")
    assert done.returncode == 3
    assert re.fullmatch(
        r"taskreel: cannot reach redis://ops:\*\*\*@127\.0\.0\.1:1/0: .*TASKREEL_REDIS_URL.*\n", done.stderr
    )
    assert "canary" not in done.stderr


def test_a_user_who_may_not_is_told_which_one_may(
    taskreel: Taskreel, redis_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pods may not make keys: theirs is another user of Redis than that of the operators."""
    with Redis(port=redis_port) as redis:
        redis.execute_command("ACL", "SETUSER", "weak", "on", ">canary", "~*", "+ping", "+client")
        try:
            for password in ("canary", "wrong"):
                url = f"redis://weak:{password}@127.0.0.1:{redis_port}/0"
                monkeypatch.setenv("TASKREEL_REDIS_URL", url)
                done = taskreel("keys", "ls")
                assert done.returncode == 3
                assert re.fullmatch("taskreel: redis://.* refuses it: .* the user ops\n", done.stderr), done
                assert "canary" not in done.stderr
        finally:
            redis.execute_command("ACL", "DELUSER", "weak")


def test_the_server_of_taskreel_up_is_found_by_its_folder(
    taskreel: Taskreel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs, and where its path is too long for a socket as well."""
    monkeypatch.delenv("TASKREEL_REDIS_URL")
    for folder in (tmp_path / "data", tmp_path / ("long" * 25)):
        with running(folder):
            made = taskreel(*NEW, "--data", str(folder))
            assert made.returncode == 0, made.stderr
            key_id, _ = split_key(made.stdout.strip()) or ("none", "")
            assert key_id in taskreel("keys", "ls", "--data", str(folder)).stdout
        done = taskreel("keys", "ls", "--data", str(folder))
        assert done.returncode == 3
        assert re.fullmatch("taskreel: no `taskreel up` runs on the data folder .*\n", done.stderr)


@pytest.mark.parametrize("name", ["new", "ls", "revoke"])
def test_help_has_an_example(taskreel: Taskreel, name: str) -> None:
    """And tells no setting's value."""
    done = taskreel("keys", name, "--help")
    assert done.returncode == 0
    assert re.search(rf"taskreel keys {name}", done.stdout.partition("Example")[2])
