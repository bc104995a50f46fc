"""The fence of a thread's checkpoints: which attempt at which task may still write them.

A worker that was paused past its lease and wakes up doesn't know that another one has the task. Its next
event is refused by the log, but a checkpoint that it writes before that would be the newest. So each write
names the attempt it is made for, and Redis refuses those of older ones as it would make them.
"""

from __future__ import annotations

from typing import NamedTuple

from langchain_core.runnables import RunnableConfig

from events.scripts import ALLOW_OOM

FENCE_KEY = "__taskreel_attempt"
"""Where a config's `configurable` holds a Fence.

LangGraph hands it on to the saver as it is, for subgraphs too; the underscores keep it out of the metadata.
"""


class Fence(NamedTuple):
    """For which attempt a write is made.

    Attributes:
        task_id: a UUIDv7, so of two tasks on a thread the later one's is greater.
        attempt: its number, from 1.
    """

    task_id: str
    attempt: int


def fence_of(config: RunnableConfig) -> Fence | None:
    """The attempt for which a graph runs with that config, if it runs for one."""
    return config.get("configurable", {}).get(FENCE_KEY)


GUARD = """
-- KEYS: fence, then what the commands touch
-- ARGV: task id or '' to pass unguarded, attempt, '1' to take the thread from any other task,
--       seconds the fence stays, then for each command the number of its words, and the words.
-- The reply to the last command, or nil if a newer attempt, or a newer task, has the thread.
if ARGV[1] ~= '' then
  local task, attempt = string.match(redis.call('GET', KEYS[1]) or '', '^(.*) (%d+)$')
  if task == ARGV[1] and tonumber(attempt) > tonumber(ARGV[2]) then return false end
  if task and task > ARGV[1] and ARGV[3] == '' then return false end
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'EX', ARGV[4])
end
local at, reply = 5, 0
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  reply = redis.call(unpack(ARGV, at + 1, last))
  at = last + 1
end
return reply
"""
"""Executes commands, all or none, if the attempt they are for is the newest."""

GUARD_AGAIN = ALLOW_OOM + GUARD
"""The same for what was written before, and may be although Redis's memory is used up."""
