"""The Lua that must be atomic: claiming a task, answering it, keeping what one owns. Appends need none.

A claim decides who runs a task and fences every older attempt in the same instant, because Redis refuses an
XADD whose id isn't above the last one, and the new attempt's ids are above all of the old one's.
"""

from __future__ import annotations

CLAIM = """
-- KEYS: log, task, lease
-- ARGV: owner, lease ms, RFC 3339 now, worker, data of attempt.started (JSON), expected last id or '', bell
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #tail == 0 then return {'absent'} end
local last, kind = tail[1][1], tail[1][2][2]
local owner = redis.call('GET', KEYS[3])
if owner == ARGV[1] and kind == 'attempt.started' then return {'claimed', last} end
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
local id = string.format('%.0f-%.0f', attempt, seq)
local document = string.format(
  '{"seq":%.0f,"attempt":%.0f,"type":"attempt.started","ts":"%s","data":%s}', seq, attempt, ARGV[3], ARGV[5])
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'attempt', string.format('%.0f', attempt), 'worker', ARGV[4])
redis.call('HSETNX', KEYS[2], 'started_at', ARGV[3])
redis.call('XADD', KEYS[1], id, 'type', 'attempt.started', 'event', document)
redis.call('PUBLISH', ARGV[7], id)
return {'claimed', id}
"""

ANSWER = """
-- KEYS: log, task  ARGV: the answer (JSON).  1 if the task waited for an answer and has this one now, else 0.
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #tail == 0 or tail[1][2][2] ~= 'task.interrupted' then return 0 end
if redis.call('HGET', KEYS[2], 'answered') == tail[1][1] then return 0 end
if redis.call('HEXISTS', KEYS[2], 'cancel_requested_at') == 1 then return 0 end
redis.call('HSET', KEYS[2], 'answered', tail[1][1], 'answer', ARGV[1])
return 1
"""

RENEW = """
-- KEYS: lease, task  ARGV: owner, lease ms, attempt.  1 while the caller owns it, else 0.
-- A lease that ran out (Redis was away) is taken again unless a newer attempt has opened since.
local owner = redis.call('GET', KEYS[1])
if owner == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if owner or redis.call('HGET', KEYS[2], 'attempt') ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

RELEASE = """
-- KEYS: a key  ARGV: its owner.  Deletes the key if it still holds that owner.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
