"""Server-sent events, as bytes. Pure. Format: WHATWG HTML, section 9.2.6, "Interpreting an event stream"."""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson

from events.model import Entry
from events.position import Gap, Rewound

HEARTBEAT = b": hb\n\n"


class SseCodec:
    """The log as server-sent events: four lines an entry, the last one empty."""

    def entries(self, entries: Sequence[Entry]) -> bytes:
        """Frames with `id:`, `event:` and one line of `data:` each."""
        frames = b"".join([b"id: %b\nevent: %b\ndata: %b\n\n" % entry for entry in entries])
        if frames.count(b"\n") != 4 * len(entries) or b"\r" in frames:
            raise ValueError("an entry holds a line break and could forge a frame")
        return frames

    def notice(self, notice: Gap | Rewound) -> bytes:
        """`stream.gap` leaves the client's cursor alone; `stream.rewound` puts it right by an `id:`."""
        if isinstance(notice, Gap):
            data = {
                "requested": str(notice.requested),
                "first_available": str(notice.first_available),
                "missing": notice.missing,
            }
            return b"event: stream.gap\ndata: %b\n\n" % orjson.dumps(data)
        data = {"requested": str(notice.requested), "last": str(notice.last)}
        return b"id: %b\nevent: stream.rewound\ndata: %b\n\n" % (
            str(notice.last).encode(),
            orjson.dumps(data),
        )


def retry(shortest: float, longest: float) -> bytes:
    """A `retry:` field of a random time between two numbers of seconds, so that clients don't come as one."""
    return b"retry: %d\n\n" % round(random.uniform(shortest, longest) * 1000)


def farewell(reason: str) -> bytes:
    """The last words to a client that shall come back: why, and when."""
    return retry(2, 10) + b": %b\n\n" % reason.encode()
