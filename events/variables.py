"""Variables that look like settings and are none: a misspelt one does nothing, and says so nowhere else."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from events.settings import PREFIX, Settings

OTHERS = frozenset({"MODEL", "TOKEN", "URL"})
"""What the commands, and graphs among the examples, read by themselves."""

_OF_OTHERS = re.compile(
    # deploy/redis/fill.sh takes these, and Kubernetes tells of services by those.
    r"(API|WORKER|OPS|QUEUE)_PASSWORD"
    r"|(.+_)?SERVICE_(HOST|PORT(_.+)?)|(.+_)?PORT(_[0-9]+_(TCP|UDP|SCTP)(_.+)?)?"
)


def doubts(names: Iterable[str]) -> Iterator[str]:
    """What is to be said of each variable that starts with TASKREEL_ and that nobody reads; never its value.

    Args:
        names: of all variables. Case doesn't count, as in the settings.
    """
    known = {name.upper() for name in Settings.model_fields} | OTHERS
    for variable in sorted(names):
        name = variable.upper().removeprefix(PREFIX)
        if name == variable.upper() or name in known or _OF_OTHERS.fullmatch(name):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"is {PREFIX}{near[0]} meant?" if near else "docs/protocol.md lists those there are"
        yield f"{variable} is no setting and does nothing; {advice}"
