"""The pieces of Lua that order stores and invalidations; KEYS[1] is always the epoch, KEYS[2] the log.

A missing epoch starts from Redis's clock in microseconds, so that one lost with the server's memory never comes back.
"""

from __future__ import annotations

EPOCH = """
local e = redis.call('GET', KEYS[1])
if not e then
  local t = redis.call('TIME')
  e = t[1] .. string.format('%06d', t[2])
  redis.call('SET', KEYS[1], e)
end
"""

NOT_NEWER = (
    EPOCH
    + """
if e ~= ARGV[1] then
  local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
  if not first or tonumber(first) > tonumber(ARGV[1]) + 1 then return {e, 'unknown'} end
  return {e, 'newer', unpack(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf'))}
end
"""
)
"""Ends the script when something was invalidated after the epoch ARGV[1]: with the lines of the log, or `unknown`."""

ANNOUNCE = (
    EPOCH
    + """
e = redis.call('INCR', KEYS[1])
local line = string.format('%.0f', e) .. '|' .. ARGV[3] .. '|' .. ARGV[1]
redis.call('ZADD', KEYS[2], e, line)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[2]))
redis.call('PUBLISH', KEYS[3], line)
"""
)
"""Raises the epoch, and tells everybody which pattern (ARGV[1]) became stale, and who says so (ARGV[3])."""

HASH_IF_ABSENT = """
local function put_hash(key, parts, ttl)
  if redis.call('EXISTS', key) == 1 then return 0 end
  redis.call('HSET', key, unpack(cjson.decode(parts)))
  redis.call('PEXPIRE', key, ttl)
  return 1
end
"""
"""`put_hash` makes a hash of fields and values in turn, given as JSON, unless there is something already."""

PUT_IF_OLDER = """
local function put(key, value, ttl, field, encoded)
  local there = redis.pcall('GET', key)
  local decoded, old = pcall(cjson.decode, there or '')
  local version = cjson.decode('[' .. encoded .. ']')[1]
  local orders = type(version) == 'number' or type(version) == 'string'
  local known = decoded and type(old) == 'table' and orders and type(old[field]) == type(version)
  if there and not (known and old[field] < version) then return 0 end
  redis.call('SET', key, value, 'PX', ttl)
  return 1
end
"""
"""`put` sets a key that is absent, or whose value has a lower `field` than `encoded`; what cannot be compared stays."""
