"""deploy/Dockerfile taken apart: its stages, and what each of their instructions says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy/Dockerfile"
_KNOWN = frozenset(
    {
        "ARG",
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "LABEL",
        "ENV",
        "USER",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
)


@dataclass
class Stage:
    """One stage.

    Attributes:
        base: what it's made from, with the arguments' defaults put in.
        instructions: pairs of a word such as COPY and what follows it.
    """

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def all(self, word: str) -> list[str]:
        """What follows each of those instructions."""
        return [rest for found, rest in self.instructions if found == word]

    def words(self, word: str) -> list[str]:
        """The only instruction of that kind, a JSON array of words; of HEALTHCHECK its command."""
        (rest,) = self.all(word)
        return json.loads(rest.partition("CMD ")[2] if word == "HEALTHCHECK" else rest)

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        pairs = [pair.partition("=") for rest in self.all("ENV") for pair in rest.split()]
        return {name: value for name, _, value in pairs}


def stages() -> list[Stage]:
    """The stages in their order; an instruction that isn't known fails."""
    text = re.sub(r"(?m)^#.*\n", "", FILE.read_text()).replace("\\\n", " ")
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for line in filter(str.strip, text.splitlines()):
        word, _, rest = line.strip().partition(" ")
        assert word in _KNOWN, line
        if word == "ARG":
            name, _, default = rest.partition("=")
            arguments[name] = default
        elif word == "FROM":
            base = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], rest.split()[0])
            found.append(Stage(base))
        else:
            found[-1].instructions.append((word, rest))
    return found
