"""What the server must do in one step, in Lua. A `Script` makes the commands that run it.

Every script works on Redis 6.2 and later and on Valkey, needs no function library, and may be run twice.
"""

from hashlib import sha1
from typing import Any

GROUP = "kombu"
"""The one consumer group of every stream."""

FIELD = "m"
"""The one field of every entry."""

Command = tuple[Any, ...]


class Script:
    """A Lua script; call it with its keys and arguments for the command that runs it."""

    known: dict[str, str] = {}

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.known[self.sha] = text

    def __call__(self, keys: list[str], *arguments: Any) -> Command:
        return ("EVALSHA", self.sha, len(keys), *keys, GROUP, *arguments)


def in_full(command: Command) -> Command:
    """The command for a server that has not seen its script yet."""
    return ("EVAL", Script.known[command[1]], *command[2:])


READ = Script("""
local group, me, flags = ARGV[1], ARGV[2], ARGV[3]
local room, bulk, overdue, stale = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local reply = {}

local function in_group(key, ...)
    local result = redis.pcall(...)
    if type(result) ~= 'table' or not result.err then return result end
    if string.find(result.err, 'NOGROUP', 1, true) then
        redis.call('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM')
        redis.call('XGROUP', 'CREATECONSUMER', key, group, me)
    end
    return redis.call(...)
end

local function claim(key, want, taken)
    local from, page = '-', nil
    repeat
        page = in_group(key, 'XPENDING', key, group, 'IDLE', overdue, from, '+', 100)
        for _, pending in ipairs(page) do
            local id = pending[1]
            from = '(' .. id
            if pending[2] ~= me and want > 0 then
                redis.call('XCLAIM', key, group, me, overdue, id, 'JUSTID')
                local entry = redis.call('XRANGE', key, id, id)[1]
                if entry then
                    taken[#taken + 1] = id
                    taken[#taken + 1] = entry[2][2]
                    want = want - 1
                else
                    redis.call('XACK', key, group, id)
                end
            end
        end
    until #page < 100 or want <= 0
    return want
end

local function forget_the_dead(key)
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', key, group)) do
        if consumer[2] ~= me and consumer[4] == 0 and consumer[6] > stale then
            redis.call('XGROUP', 'DELCONSUMER', key, group, consumer[2])
        end
    end
end

local function fresh(key, want, taken, ...)
    local result = in_group(key, 'XREADGROUP', 'GROUP', group, me, 'COUNT', want, ...)
    if not result then return want end
    for _, entry in ipairs(result[1][2]) do
        taken[#taken + 1] = entry[1]
        taken[#taken + 1] = entry[2][2]
    end
    return want - #result[1][2]
end

for index, key in ipairs(KEYS) do
    local no_ack = string.sub(flags, index, index) == 'n'
    local want = no_ack and bulk or room
    if want > 0 then
        local again, new = {index, 1}, {index, 0}
        if overdue > 0 then
            want = claim(key, want, again)
            forget_the_dead(key)
        end
        if want > 0 and no_ack then
            want = fresh(key, want, new, 'NOACK', 'STREAMS', key, '>')
        elseif want > 0 then
            want = fresh(key, want, new, 'STREAMS', key, '>')
        end
        for _, taken in ipairs({again, new}) do
            if #taken > 2 then reply[#reply + 1] = taken end
            if no_ack then
                for i = 3, #taken, 2 do
                    redis.call('XACK', key, group, taken[i])
                    redis.call('XDEL', key, taken[i])
                end
            end
        end
        if no_ack then bulk = want else room = want end
    end
end
return reply
""")
"""Take what may be taken, the first key first: at most `room` entries that will be confirmed and `bulk` that need
not be (flag `n`). With `overdue` (ms) entries are first taken over from consumers that did not keep them fresh."""

RELEASE = Script("""
local group, me = ARGV[1], ARGV[2]
local stream, front = KEYS[1], KEYS[2]

local function release(id)
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then redis.call('XADD', front, '*', unpack(entry[2])) end
    redis.call('XDEL', stream, id)
    redis.call('XACK', stream, group, id)
end

for i = 3, #ARGV do
    local mine = redis.pcall('XPENDING', stream, group, ARGV[i], ARGV[i], 1, me)
    if not mine.err and #mine == 1 then release(ARGV[i]) end
end
if #ARGV == 2 then
    repeat
        local mine = redis.pcall('XPENDING', stream, group, '-', '+', 100, me)
        if mine.err then break end
        for _, pending in ipairs(mine) do release(pending[1]) end
    until #mine == 0
end
""")
"""Put entries that this consumer still owns into the queue's front stream, in the order given, or all of them."""

JOIN = Script("""
for _, key in ipairs(KEYS) do
    redis.pcall('XGROUP', 'CREATE', key, ARGV[1], '0', 'MKSTREAM')
    redis.call('XGROUP', 'CREATECONSUMER', key, ARGV[1], ARGV[2])
end
""")
"""Make this consumer known, and with it the streams: some servers do so only when it gets its first message."""

REFRESH = Script("""
local group, me = ARGV[1], ARGV[2]
for _, key in ipairs(KEYS) do
    redis.pcall('XGROUP', 'CREATECONSUMER', key, group, me)
    local from, page = '-', nil
    repeat
        page = redis.pcall('XPENDING', key, group, from, '+', 100, me)
        if page.err then break end
        local ids = {}
        for i, pending in ipairs(page) do ids[i] = pending[1] end
        if #ids > 0 then
            from = '(' .. ids[#ids]
            ids[#ids + 1] = 'JUSTID'
            redis.call('XCLAIM', key, group, me, 0, unpack(ids))
        end
    until #page < 100
end
""")
"""Set the idle time of all that this consumer owns to 0."""

_COUNT = """
local group = ARGV[1]
local consumers, ready, held = 0, 0, 0
for _, key in ipairs(KEYS) do
    ready = ready + redis.call('XLEN', key)
    local list = redis.pcall('XINFO', 'CONSUMERS', key, group)
    if not list.err then
        consumers = math.max(consumers, #list)
        for _, consumer in ipairs(list) do held = held + consumer[4] end
    end
end
ready = math.max(ready - held, 0)
"""

SIZE = Script(f"{_COUNT} return ready")
"""How many messages wait, without those that consumers hold."""

LEAVE = Script(
    """
local clean = 1
for _, key in ipairs(KEYS) do
    local mine = redis.pcall('XPENDING', key, ARGV[1], '-', '+', 1, ARGV[2])
    if not mine.err and #mine == 0 then
        redis.call('XGROUP', 'DELCONSUMER', key, ARGV[1], ARGV[2])
    elseif not mine.err then
        clean = 0
    end
end
"""
    + _COUNT
    + """
local deleted = 0
if consumers == 0 and held == 0 and (ready == 0 or ARGV[3] == '1') then
    redis.call('DEL', unpack(KEYS))
    deleted = 1
end
return {clean, deleted}
"""
)
"""Remove this consumer where it owns nothing, and the streams where nobody is left and nothing waits (or, with `1`,
whatever waits). Says whether all is left behind and whether the queue is gone."""

DELETE = Script(
    _COUNT
    + """
if (ARGV[2] == '1' and consumers > 0) or (ARGV[3] == '1' and ready + held > 0) then return -1 end
redis.call('DEL', unpack(KEYS))
return ready
"""
)
"""Delete a queue, with `1` only if unused, with the second `1` only if empty."""

PURGE = Script("""
local group, purged = ARGV[1], 0
for _, key in ipairs(KEYS) do
    local groups = redis.pcall('XINFO', 'GROUPS', key)
    if not groups.err then
        local last, held = '-', 0
        for _, info in ipairs(groups) do
            for i = 1, #info, 2 do
                if info[i] == 'last-delivered-id' then last = '(' .. info[i + 1] end
                if info[i] == 'pending' then held = info[i + 1] end
            end
        end
        if held == 0 then
            purged = purged + redis.call('XTRIM', key, 'MAXLEN', 0)
        else
            local page
            repeat
                page = redis.call('XRANGE', key, last, '+', 'COUNT', 500)
                for _, entry in ipairs(page) do purged = purged + redis.call('XDEL', key, entry[1]) end
            until #page < 500
        end
    end
end
return purged
""")
"""Remove what waits and leave what consumers hold."""
