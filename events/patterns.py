"""What secrets look like: expressions for those of well-known kinds, and the names that they go under.

Every expression takes time linear in the text, which Python's engine doesn't promise by itself: what may
repeat without end comes last, or stops where the next try would begin. Each begins with a letter, which the
engine finds fast; what must not stand before that is asked after it. `SUSPICION` runs on another engine, and
says whether the others are worth a try; it must hold wherever one of them matches, in a text's JSON as well.

Sources: GitHub's supported secret scanning patterns
(https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns) and
the rules of gitleaks (https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

MARK = "[redacted]"
"""What stands in a secret's place."""


def _alone(prefix: str) -> str:
    r"""A prefix that isn't in the middle of a word; the `n` of \n, in JSON within a text, isn't of one."""
    return rf"{prefix}(?:(?<![A-Za-z0-9]{prefix})|(?<=\\[nrt]{prefix}))"


_KEYS = (
    r"A(?:KIA|SIA|BIA|CCA)(?<![A-Z0-9]....)[A-Z2-7]{16,}",  # AWS
    # OpenAI, Anthropic and others; with a digit, since classes of CSS begin so too.
    _alone("sk-") + r"(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{20,}",
    _alone("sk_") + r"(?:live|test|prod)_[A-Za-z0-9]{10,}",  # Stripe
    _alone("rk_") + r"(?:live|test|prod)_[A-Za-z0-9]{10,}",
    r"gh[opsur]_[A-Za-z0-9_]{30,}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat)-[A-Za-z0-9_-]{20,}",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
    r"AIza[A-Za-z0-9_-]{35,}",  # Google
    r"GOCSPX-[A-Za-z0-9_-]{28,}",
    _alone("hf_") + r"[A-Za-z0-9]{30,}",  # Hugging Face
    _alone("npm_") + r"[A-Za-z0-9]{36,}",
    r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    _alone("tr_") + r"[a-z0-9]{12}_[A-Za-z0-9_-]{43,}",  # Taskreel's own
)

# RFC 7519: two JSON objects in base64url, and a signature, which may be empty.
_JWT = (
    r"eyJ(?:(?<![A-Za-z0-9_-]eyJ)|(?<=\\[nrt]eyJ))[A-Za-z0-9_-]{5,}"
    r"\.eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"
)

# RFC 7468, and PGP's; of one that was cut off, as much as there is.
_PEM = (
    r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,12}-----"
    r"(?:[^-]*(?:-(?!----)[^-]*)*-----END[A-Z0-9 ]{0,40}-----|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*)"
)

# RFC 6750, section 2.1, and RFC 7617; prose has "basic understanding" and "bearer securities".
_BEARER = r"[bB](?i:earer)[ \t]{1,4}([A-Za-z0-9._~+/-]{16,}=*)"
_BASIC = r"[bB](?i:asic)[ \t]{1,4}((?=[A-Za-z]{0,80}?(?:[a-z][A-Z]|[0-9+/=]))[A-Za-z0-9+/]{8,}={0,2})"

# RFC 3986, section 3.2.1: of a URL's user and password, the password.
_URL = r"://[^\s/?#@:\"'\\]*:([^\s/?#\"'\\]+)@"


def _of(kind: str, *qualifiers: str) -> Iterable[str]:
    return [rf"{qualifier}[-_. ]?{kind}" for qualifier in qualifiers]


_SURE = (
    "passw(?:or)?d", "passphrase", "pwd", "secret", "authorization", "cookie",
    *_of("key", "access", "api", "auth", "encryption", "master", "private", "secret", "shared", "signing"),
    *_of("token", "access", "api", "auth", "bearer", "id", "refresh", "security", "session"),
)  # fmt: skip
"""What is called so is a secret, whatever it looks like."""

_LIKELY = ("token", "ticket", "credentials?", "jwt")
"""What is called so is one if it looks so: a graph may well write `{"token": " the"}`."""


def _any(names: Iterable[str]) -> str:
    """One of the names, in any case, by first letters, which let the engine run fast."""
    rests = defaultdict[str, list[str]](list)
    for name in names:
        rests[name[0]].append(name[1:])
    cased = [(case, "|".join(rest)) for first, rest in rests.items() for case in (first, first.upper())]
    return f"(?:{'|'.join(f'{first}(?i:{rest})' for first, rest in cased)})"


_LOOK = r"(?=[^\s\"'&,;\[\]]{0,40}[0-9])[^\s\"'&,;\[\]]{16,}"
_SET = r"[\"'\\]{0,9}[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}"
_SCHEME = r"(?:(?i:bearer|basic|token|digest|negotiate)[ \t]{1,4})?"
_WORD = r"[^\s\"'\\&,;]"

_PAIRS = (
    rf"[cC](?i:ookie){_SET}([^\"'\\\r\n]{{4,}})",  # a header has several; RFC 6265
    # Also a header; what follows the scheme may be a list, whose values have quotes (RFC 9110, section 11.4).
    rf"[aA](?i:uthorization){_SET}{_SCHEME}((?:[^\"'\\\r\n]|(?<==)\"[^\"\r\n]*\"){{4,}})",
    rf"{_any(_SURE)}{_SET}{_SCHEME}"
    rf"(?:\\{{0,8}}\"([^\"\\\n]+)\\{{0,8}}\"|\\{{0,8}}'([^'\\\n]+)\\{{0,8}}'"
    rf"|[\"'\\]{{0,9}}({_WORD}{{4,}}|(?<==){_WORD}+))",
    rf"{_any(_LIKELY)}{_SET}[\"'\\]{{0,9}}({_LOOK})",
)

SECRETS = tuple(re.compile(it, re.ASCII) for it in (_PEM, *_PAIRS, _URL, *_KEYS, _JWT, _BEARER, _BASIC))
"""Secrets in a text, to be tried in this order. If a group has matched, it is the secret, else the whole."""

SURE_NAME = re.compile(rf"{_any(_SURE)}\Z", re.ASCII)
"""Matches at the end of the name of a secret."""

LIKELY_NAME = re.compile(rf"(?:\A|[^A-Za-z]|[a-z](?=[A-Z])){_any(_LIKELY)}\Z", re.ASCII)
"""Matches at the end of the name of what may be a secret; `nextToken`, but not `mytoken`."""

LOOK = re.compile(rf"{_LOOK}\Z", re.ASCII)
"""Matches what looks like a secret from its beginning to its end."""

SUSPICION = (
    r"sk-[A-Za-z0-9_-]{20}|k_(?:live|test|prod)_|AKIA|ASIA|ABIA|ACCA|gh[opsur]_[A-Za-z0-9_]{30}|github_pat_"
    r"|gl[a-z]{2,5}-|xox|xapp-|AIza|GOCSPX-|hf_[A-Za-z0-9]{30}|npm_|pypi-|tr_[a-z0-9]{12}_|eyJ|-----BEGIN"
    r"|://[^ /?#\"]*@|(?i:bearer|basic)(?:[ \t]|\\t)"
    rf"|(?i:(?:{'|'.join((*_SURE, *_LIKELY))})[\"'\\ \tt]{{0,40}}[:=])"
)
"""Where this isn't found in a text, or in its JSON, none of the others is. For Rust's `regex`."""
