"""Server-sent events, and the chunks they travel in, as bytes. Pure.

Formats: WHATWG HTML, section 9.2.6, "Interpreting an event stream"; RFC 9112, section 7.1, "Chunked Transfer
Coding".
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson

from events.model import Entry
from events.position import Gap, Rewound

HEARTBEAT = b": hb\n\n"
LAST_CHUNK = b"0\r\n\r\n"


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


class ChunkCodec(SseCodec):
    """The same, each time as one chunk, made once for all the sockets it goes to."""

    def entries(self, entries: Sequence[Entry]) -> bytes:
        """A chunk of frames."""
        return chunk(super().entries(entries))

    def notice(self, notice: Gap | Rewound) -> bytes:
        """A chunk of one frame."""
        return chunk(super().notice(notice))


def chunk(data: bytes) -> bytes:
    """Bytes as one chunk; none as none, for an empty chunk would be the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def retry(shortest: float, longest: float) -> bytes:
    """A `retry:` field of a random time between two numbers of seconds, so that clients don't come as one."""
    return b"retry: %d\n\n" % round(random.uniform(shortest, longest) * 1000)


def farewell(reason: str, *, elsewhere: bool = False) -> bytes:
    """The last words to a client that shall come back: why, and when.

    Args:
        reason: for people.
        elsewhere: another pod serves it now, so that it need not wait for this one to recover.
    """
    return (retry(0.5, 1.5) if elsewhere else retry(2, 10)) + b": %b\n\n" % reason.encode()
