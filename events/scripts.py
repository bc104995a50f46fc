"""The Lua that must be atomic: opening a log, claiming a task, answering it, keeping what one owns.

Appends need none. A claim decides who runs a task and fences every older attempt in the same instant, because
Redis refuses an XADD whose id isn't above the last one, and the new attempt's ids are above all of the old's.

A Redis that restarts, or a replica that takes over, may have lost the last second or two of writes, claims
among them. So each record names the history it was written in, which is another one after each restart and
each promotion, also of a server that was a primary before. A claim that finds another one waits for
`SETTLING_MS`, in which writers put back what was lost (`RESTORE`), and then skips `LOST_ATTEMPTS` numbers: no
id that some reader may have seen before the loss can come again with another content.

At its maxmemory, Redis refuses whatever may take more. Scripts that keep a running task held and let it end
are flagged so that they may go beyond (`ALLOW_OOM`, of Redis 7); nothing else is.
"""

from __future__ import annotations

SETTLING_MS = 3_000
"""How long a restarted Redis gives to writers: some times what they take to reconnect."""

LOST_ATTEMPTS = 10
"""More attempts than a task can have opened within the tail that a restart loses."""

ALLOW_OOM = "#!lua flags=allow-oom\n"
"""Begins a script that Redis executes though its memory is used up."""

SERVER = """
local function server()
  local info = redis.pcall('INFO', 'replication')  -- a table if it isn't allowed
  return type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or nil
end
"""

CREATE = (
    SERVER
    + """
-- KEYS: log, task  ARGV: document of task.submitted, then fields and values of the hash.
-- 1 if the log is new, else 0.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for at = 2, #ARGV, 2 do redis.call('HSETNX', KEYS[2], ARGV[at], ARGV[at + 1]) end
redis.call('HSET', KEYS[2], 'server', server() or '')
redis.call('XADD', KEYS[1], '0-1', 'type', 'task.submitted', 'event', ARGV[1])
return 1
"""
)

CLAIM = (
    SERVER
    + f"local SETTLING_MS, LOST_ATTEMPTS = {SETTLING_MS}, {LOST_ATTEMPTS}"
    + """
-- KEYS: log, task, lease
-- ARGV: owner, lease ms, RFC 3339 now, worker, data of attempt.started (JSON), expected last id or '', bell
local function claimed(id, document)
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
  return {'claimed', id, document, first[1][2][4], redis.call('HGETALL', KEYS[2])}
end
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #tail == 0 then return {'absent'} end
local last, kind = tail[1][1], tail[1][2][2]
local owner = redis.call('GET', KEYS[3])
if owner == ARGV[1] and kind == 'attempt.started' then
  return claimed(last, tail[1][2][4])
end
if kind == 'task.succeeded' or kind == 'task.failed' or kind == 'task.cancelled' then
  return {'sealed', last}
end
if owner then return {'held', redis.call('PTTL', KEYS[3])} end
if kind == 'task.interrupted' and redis.call('HGET', KEYS[2], 'answered') ~= last
   and redis.call('HEXISTS', KEYS[2], 'cancel_requested_at') == 0 then
  return {'waiting', last}
end
if ARGV[6] ~= '' and ARGV[6] ~= last then return {'moved', last} end
local attempt, seq = string.match(last, '^(%d+)-(%d+)$')
attempt, seq = tonumber(attempt) + 1, tonumber(seq) + 1
local run = server()
if run and redis.call('HGET', KEYS[2], 'server') ~= run then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local seen, by = string.match(redis.call('HGET', KEYS[2], 'settling') or '', '^(%w+):(%d+)$')
  if seen ~= run then
    by = now + SETTLING_MS
    redis.call('HSET', KEYS[2], 'settling', string.format('%s:%.0f', run, by))
  end
  if now < tonumber(by) then return {'held', tonumber(by) - now} end
  redis.call('HSET', KEYS[2], 'server', run)
  redis.call('HDEL', KEYS[2], 'settling')
  attempt = attempt + LOST_ATTEMPTS
end
local id = string.format('%.0f-%.0f', attempt, seq)
local document = string.format(
  '{"seq":%.0f,"attempt":%.0f,"type":"attempt.started","ts":"%s","data":%s}', seq, attempt, ARGV[3], ARGV[5])
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'attempt', string.format('%.0f', attempt), 'worker', ARGV[4])
redis.call('HSETNX', KEYS[2], 'started_at', ARGV[3])
redis.call('HSETNX', KEYS[2], 'running_since', ARGV[3])
if kind == 'task.interrupted' then redis.call('HSET', KEYS[2], 'running_since', ARGV[3]) end
redis.call('XADD', KEYS[1], id, 'type', 'attempt.started', 'event', document)
redis.call('PUBLISH', ARGV[7], id)
return claimed(id, document)
"""
)

CLAIM_TO_END = ALLOW_OOM + CLAIM
"""A claim by who won't run the task, but end it."""

RESTORE = (
    ALLOW_OOM
    + SERVER
    + """
-- Puts back what an attempt wrote and Redis lost, unless another attempt has opened or holds the lease.
-- A log that has gone is made again if the server is another than at the claim, and it hasn't expired.
-- KEYS: log, task, lease, tombstone
-- ARGV: owner, attempt, bell, size of the record, its fields and values as they were after the claim,
--       then id, type and document of each entry, oldest first
-- Gives how many entries it put back, or -1 if the attempt is fenced.
local owner = redis.call('GET', KEYS[3])
if owner and owner ~= ARGV[1] then return -1 end
local function parse(id)
  local attempt, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(attempt), tonumber(seq)
end
local record, own, first = {}, tonumber(ARGV[2]), 5 + tonumber(ARGV[4])
for at = 5, first - 2, 2 do record[ARGV[at]] = ARGV[at + 1] end
local last_attempt, last_seq, last, document = 0, 0, nil, nil
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #tail > 0 then
  last, document = tail[1][1], tail[1][2][4]
  last_attempt, last_seq = parse(last)
elseif ARGV[first] ~= '0-1' or record['server'] == server() or redis.call('EXISTS', KEYS[4]) == 1 then
  return -1
end
if last_attempt > own then return -1 end
local known, from = last_attempt < own, #ARGV + 1
for at = first, #ARGV, 3 do
  local attempt, seq = parse(ARGV[at])
  if ARGV[at] == last then
    if ARGV[at + 2] ~= document then return -1 end
    known = true
  elseif attempt > last_attempt or (attempt == last_attempt and seq > last_seq) then
    if at == first then known = true end
    from = at
    break
  end
end
if not known then return -1 end
for name, value in pairs(record) do
  if not last or name == 'attempt' or name == 'worker' or name == 'started_at' or name == 'running_since' then
    redis.call('HSET', KEYS[2], name, value)
  end
end
redis.call('HSET', KEYS[2], 'server', server() or '')
for at = from, #ARGV, 3 do
  redis.call('XADD', KEYS[1], ARGV[at], 'type', ARGV[at + 1], 'event', ARGV[at + 2])
end
redis.call('PUBLISH', ARGV[3], ARGV[#ARGV - 2])
return (#ARGV + 1 - from) / 3
"""
)

ANSWER = """
-- KEYS: log, task  ARGV: the answer (JSON), id of the entry that asks.
-- 1 if the task waited for an answer and has this one now, else 0; -1 if another entry asks now.
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #tail == 0 or tail[1][2][2] ~= 'task.interrupted' then return 0 end
if tail[1][1] ~= ARGV[2] then return -1 end
if redis.call('HGET', KEYS[2], 'answered') == tail[1][1] then return 0 end
if redis.call('HEXISTS', KEYS[2], 'cancel_requested_at') == 1 then return 0 end
redis.call('HSET', KEYS[2], 'answered', tail[1][1], 'answer', ARGV[1])
return 1
"""

CANCEL = (
    ALLOW_OOM
    + """
-- KEYS: log, task  ARGV: RFC 3339 now.  1 if the task is to end now, 0 if it has ended, -1 if there is none.
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #tail == 0 then return -1 end
local kind = tail[1][2][2]
if kind == 'task.succeeded' or kind == 'task.failed' or kind == 'task.cancelled' then return 0 end
redis.call('HSETNX', KEYS[2], 'cancel_requested_at', ARGV[1])
return 1
"""
)

LAST_ENTRIES = (
    ALLOW_OOM
    + """
-- KEYS: log  ARGV: bell, then id, type and document of each entry.  The reply to each XADD, or its error.
local replies = {}
for at = 2, #ARGV, 3 do
  replies[#replies + 1] = redis.pcall('XADD', KEYS[1], ARGV[at], 'type', ARGV[at + 1], 'event', ARGV[at + 2])
end
redis.call('PUBLISH', ARGV[1], ARGV[#ARGV - 2])
return replies
"""
)

ESSENTIAL = (
    ALLOW_OOM
    + """
-- KEYS: a key  ARGV: a command, and what follows its key.  The command's reply.
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
"""
)

RENEW = (
    ALLOW_OOM
    + """
-- KEYS: lease, task  ARGV: owner, lease ms, attempt.
-- 0 if the caller owns it no longer, 1 while it does, 2 if besides somebody wants the task cancelled.
-- A lease that ran out or was lost (Redis was away) is taken again unless a newer attempt has opened since.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
if not owner and tonumber(redis.call('HGET', KEYS[2], 'attempt') or 0) > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1 + redis.call('HEXISTS', KEYS[2], 'cancel_requested_at')
"""
)

FORGET = """
-- KEYS: log, task.  Deletes the record of a task without a log.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return redis.call('DEL', KEYS[2])
"""

TAKE_OVERDUE = (
    ALLOW_OOM
    + """
-- Gives tasks that are overdue to one caller alone, for some time.
-- KEYS: deadlines  ARGV: now, the tasks' next deadline (Unix ms), the most tasks.
-- The tasks, and behind them the first deadline that there is then, or '' for none.
local tasks = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3])
for _, task in ipairs(tasks) do redis.call('ZADD', KEYS[1], 'XX', ARGV[2], task) end
tasks[#tasks + 1] = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or ''
return tasks
"""
)

UNEXPECT = """
-- KEYS: deadlines  ARGV: task, score.  Removes the task's deadline if it is still that one.
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
"""

RELEASE = """
-- KEYS: a key  ARGV: its owner.  Deletes the key if it still holds that owner.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
