"""What a question asks for: its telling words, whose words it wants, and what an answer to it looks like."""

import re
from dataclasses import dataclass
from functools import cached_property

from examples.thinker.words import APOSTROPHES, STOP, kin, stem, words

OPENING, CLOSING = "\u2018", "\u2019"
"""The quotation marks that speech stands between."""

_SPEECH = "advice advise answer ask call explain question reply riddle say shout sing speak tell"
_ASKS = "ask question riddle"
_SAID = (
    "(?:said|asked|replied|remarked|remarking|went on|added|called|inquired|cried|exclaimed|shouted|"
    "continued|screamed|repeated|interrupted|answered|sang)"
)
_THEY_SAID = re.compile(
    rf"\b(?:it|he|she) {_SAID}\b|\b{_SAID} (?:it|he|she)\b|\band said, {OPENING}", re.IGNORECASE
)
_REASON = re.compile(r"\b(?:because|reason|mistake|the fact is|so that|in order|cause)\b", re.IGNORECASE)
_IS = rf"(?: (?:is|was|are|were)|[{APOSTROPHES}]s)"


@dataclass(frozen=True)
class Question:
    """A question in plain English about what a text tells."""

    text: str

    @cached_property
    def terms(self) -> list[str]:
        """Its words that tell something, in small letters, each once."""
        return _terms(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """The terms that are written with a capital letter within the question."""
        return frozenset(name.lower() for name in re.findall(r"(?<=[\w,] )[A-Z]\w+", self.text))

    @cached_property
    def speaker(self) -> str | None:
        """The term for the person whose words are asked for, if words are: sooner a name than another."""
        terms, speech = _terms(re.sub(r"\bof \w+", "", self.text)), _stems_of(_SPEECH)
        for place, term in enumerate(terms):
            if stem(term) in speech:
                others = terms[:place] or terms[place + 1 :]
                return next(iter(sorted(others[::-1], key=lambda one: one not in self.names)), None)
        return None

    @property
    def wants_number(self) -> bool:
        """Whether it asks how often something is told of."""
        return re.search(r"\bhow (?:often|many times)\b", self.text, re.IGNORECASE) is not None

    def fits(self, line: str, before: str) -> bool:
        """Whether a line does what is asked for: it's the right person's, gives a reason, tells what is."""
        if self.speaker:
            return self._said(line, before)
        if self._starts("why"):
            return _REASON.search(line) is not None
        return self._tells_what(line)

    def doer(self, line: str) -> str | None:
        """Return who did in a line what the question asks of: "Who stole ...?", "The Knave of Hearts"."""
        if not self._starts("who") or not self.terms:
            return None
        verbs = "|".join(map(re.escape, [self.terms[0], *kin(self.terms[0])]))
        name = r"((?:[Tt]he )?[A-Z]\w+(?: (?:of )?[A-Z]\w+)*)"
        found = re.search(rf"\b{name},? (?:(?:he|she|it) )?(?:{verbs})\b", line)
        return found[1] if found and found[1].split()[-1].lower() not in STOP else None

    def _starts(self, word: str) -> bool:
        return words(self.text)[:1] == [word]

    def _said(self, line: str, before: str) -> bool:
        """Whether the person says it; it has to be a question if that is what the person is to ask."""
        if "?" not in line and _stems_of(_ASKS).intersection(map(stem, self.terms)):
            return False
        name = rf"\b{re.escape(self.speaker or '')}\b"
        by_name = rf"\b{_SAID} (?:the )?(?:[\w-]+ )?{name}|{name} (?:\w+ )?{_SAID}\b"
        if re.search(by_name, line, re.IGNORECASE):
            return True
        said = _THEY_SAID.search(line)
        return said is not None and bool(re.search(name, f"{before} {line[: said.start()]}", re.IGNORECASE))

    def _tells_what(self, line: str) -> bool:
        """Whether a line tells who or what somebody or something is, and that is asked."""
        asked = re.match(rf"\W*(?:who|what){_IS}\b", self.text, re.IGNORECASE)
        if not asked or not self.terms:
            return False
        thing = rf"\b{re.escape(self.terms[-1])}{_IS} (?:a|an|the|my|our)\b"
        return re.search(thing, line, re.IGNORECASE) is not None


def _terms(text: str) -> list[str]:
    by_stem = dict[str, str]()
    for word in words(text):
        term = re.split(f"[{APOSTROPHES}]", word)[0]
        if term not in STOP:
            by_stem.setdefault(stem(term), term)
    return list(by_stem.values())


def _stems_of(text: str) -> frozenset[str]:
    return frozenset(map(stem, text.split()))
