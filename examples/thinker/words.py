"""Words as a reader takes them: by their stems, without those that every text has, and with their kin."""

import re
from functools import cache

APOSTROPHES = "\u2019'"

_WORD = re.compile(rf"[^\W\d_]+(?:[{APOSTROPHES}][^\W\d_]+)*")
_ENDING = re.compile(rf"(?:[{APOSTROPHES}]\w+|ing|ed|es|s|e|ly)$")

_STOP = """
a about after all am an and any are as at be been before being but by can could did do does done for from get
gets had has have he her him his how i if in into is it its kind many me mention mentioned much my named no
not of off often on one or our out over she should so some than that the their them then there these they this
those time times to under up upon us was we were what when where which who whom whose why will with would you
your
"""

STOP = frozenset(_STOP.split())
"""Words that tell nothing of what a question or a text is about."""

_KIN = """
advice advise advised counsel ought way depends
answer answered reply replied
ask asked question inquired
become became turned turning changed changing
begin began begun start
big bigger large larger
catch caught
cry cried crying weep wept tears sobbed
dance danced quadrille
die died dead death killed
drink drank drunk bottle
eat ate eaten swallowed
execute executed execution executioner behead beheaded heads
fall fell fallen falling
find found
fly flew flying
forget forgot forgotten
go went gone
grow grew grown growing larger taller opening
hide hid hidden
know knew known
late hurry watch
lesson lessons school taught
lose lost
meet met
play played game croquet
prize prizes win won
riddle riddles raven
say said told remarked
see saw seen
shout shouted screamed roared
shrink shrank shrunk shrinking smaller shorter shutting
sing sang sung song
sit sat
size inches high tall
sleep slept asleep sleeping
small smaller little tiny
steal stole stolen
swim swam swimming
teach taught learn learnt lessons
throw threw thrown
trial court judge jury verdict
wake woke awoke dream
wear wore
write wrote written
"""


def words(text: str) -> list[str]:
    """Return the words of a text in their order, in small letters."""
    return _WORD.findall(text.lower())


def stem(word: str) -> str:
    """Cut the commonest endings off: "growing" and "grows" become "grow", "tarts" becomes "tart"."""
    short = _ENDING.sub("", word) if len(word) > 3 else word
    if len(short) < 3:
        return word
    return short[:-1] if short[-1] == short[-2] and short[-1] not in "aeiouls" else short


def stems(text: str) -> list[str]:
    """Return the stems of a text's words that tell something, in their order."""
    return [stem(word) for word in words(text) if word not in STOP]


@cache
def kin(word: str) -> tuple[str, ...]:
    """Return words that a text may use in place of this one, its irregular forms among them."""
    lines = (line.split() for line in _KIN.splitlines())
    alike = [other for line in lines if stem(word) in map(stem, line) for other in line]
    return tuple(other for other in dict.fromkeys(alike) if stem(other) != stem(word))
