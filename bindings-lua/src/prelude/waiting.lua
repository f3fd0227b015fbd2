-- Waiting in the host's own way: opencode.client { wait = function(ms) ... end }. Loaded before all others: here each raw
-- function that blocks gets a second way, which looks, and between two looks calls what the client was made with. Where there
-- is no such function, what may take long blocks for a slice at a time: between two of them a hook of the host may run, by
-- which Ctrl-C ends a script.

local raw = ...

-- By client, and by what was made with it.
local waits = setmetatable({}, { __mode = "k" })

local SHORTEST, LONGEST, SLICE = 1, 20, 100

-- Calls `look` until it gives something, at most for `limit` milliseconds. `look(ms)` blocks for that long at most: not at all
-- where the host waits.
local function patient(wait, limit, look)
  local begin, left, pause = limit and raw.now(), limit, SHORTEST
  while true do
    local a, b, c, d = look(wait and 0 or math.min(SLICE, left or SLICE))
    if a ~= nil then return a, b, c, d end
    if limit then
      left = limit - (raw.now() - begin)
      if left <= 0 then return nil end
    end
    if wait then
      wait(math.min(pause, left or pause))
      pause = math.min(pause * 2, LONGEST)
    end
  end
end

-- The client of what was made with it.
local clients = setmetatable({}, { __mode = "k" })

-- Gives what is made the wait of what it is made with.
for _, name in ipairs {
  "run_start", "run_resume", "run_compact", "call_start", "events_open", "pty_open", "pty_connect", "pty_start", "messages_open",
  "sessions_open", "export_open", "tui_control",
} do
  local make = raw[name]
  raw[name] = function(client, ...)
    local is_ok, made, message, err = make(client, ...)
    if is_ok then waits[made], clients[made] = waits[client], client end
    return is_ok, made, message, err
  end
end

-- Replaces a function that blocks: `way(wait, ...)` is taken where the first argument has a wait.
local function replace(name, way)
  local blocking = raw[name]
  raw[name] = function(handle, ...)
    local wait = waits[handle]
    if not wait then return blocking(handle, ...) end
    return way(wait, blocking, handle, ...)
  end
end

-- The same for what may take long: `way` gets the client's wait, or nothing where there is none.
local function replace_long(name, way)
  local blocking = raw[name]
  raw[name] = function(handle, limit, ...)
    local wait = waits[handle]
    if not wait and limit and limit <= SLICE then return blocking(handle, limit, ...) end
    return way(wait, blocking, handle, limit, ...)
  end
end

replace_long("call_wait", function(wait, blocking, call, limit, is_raw)
  return patient(wait, limit, function(ms)
    if ms > 0 or raw.call_is_done(call) then return blocking(call, ms, is_raw) end
  end)
end)

-- The terminal waits as what it comes from.
local open_wait = raw.opening_wait
raw.opening_wait = function(opening, limit)
  local wait = waits[opening]
  if wait then
    local is_done = patient(wait, limit, function() return raw.opening_is_done(opening) or nil end)
    if not is_done then return nil end
    limit = 0
  end
  local is_ok, made, message, err = open_wait(opening, limit)
  if is_ok and made then waits[made], clients[made] = wait, clients[opening] end
  return is_ok, made, message, err
end

replace("pty_open", function(_, _, client, options)
  local is_ok, opening, message, err = raw.pty_start(client, options)
  if not is_ok then return is_ok, opening, message, err end
  return raw.opening_wait(opening)
end)

-- The result of a call that was begun, or why it was not.
local function finished(wait, is_raw, is_ok, call, message, err)
  if not is_ok then return is_ok, call, message, err end
  waits[call] = wait
  return raw.call_wait(call, nil, is_raw)
end

replace("call", function(wait, _, client, operation, arguments, options, is_raw)
  return finished(wait, is_raw, raw.call_start(client, operation, arguments, options))
end)

replace("request", function(wait, _, client, method, path, query, body, options, is_raw)
  return finished(wait, is_raw, raw.request_start(client, method, path, query, body, options))
end)

replace("usage", function(wait, _, client, session, options)
  return finished(wait, false, raw.usage_start(client, session, options))
end)

for raw_name, name in pairs { drift = "drift", server_info = "server" } do
  replace(raw_name, function(wait, _, client) return finished(wait, false, raw.call_start(client, name)) end)
end

replace("doctor", function(wait, _, client)
  local _, found = finished(wait, false, raw.doctor_start(client))
  return found
end)

replace("tui_prompt", function(wait, _, client, text)
  return finished(wait, false, raw.tui_prompt_start(client, text))
end)

replace("pty_kill", function(wait, _, pty)
  return finished(wait, false, raw.pty_kill_start(clients[pty], pty))
end)

-- What the close lost is told by the call, and the close itself has nothing left to do. A host that ends has nobody who
-- goes on meanwhile: outside of coroutines it blocks, for a second at most.
replace("client_close", function(wait, blocking, client)
  local thread, is_main = coroutine.running()
  if not thread or is_main then return blocking(client) end
  local is_ok, lost = finished(wait, false, raw.client_close_start(client))
  if is_ok and type(lost) == "string" then
    local err = { kind = "timeout", message = lost, operation = "close", retryable = false, sent = false }
    return false, false, "timeout: " .. lost, err
  end
  return blocking(client)
end)

local function is_over(run)
  local state = raw.run_state(run)
  return state == "done" or state == "failed"
end

replace_long("run_wait", function(wait, blocking, run, limit)
  patient(wait, limit, function(ms)
    if ms > 0 then raw.run_wait_for_calls(run, ms) end
    return is_over(run) or nil
  end)
  if is_over(run) then return blocking(run, 0) end
  return raw.run_late(run, limit)
end)

replace_long("run_wait_update", function(wait, blocking, run, limit)
  local update = patient(wait, limit, function(ms)
    return blocking(run, ms) or raw.run_is_drained(run) or nil
  end)
  return type(update) == "table" and update or nil
end)

replace("run_cancel", function(wait, blocking, run, limit)
  blocking(run, 0)
  patient(wait, limit, function() return is_over(run) or nil end)
  return raw.run_state(run)
end)

replace("run_detach", function(wait, blocking, run, limit)
  local _, call = raw.run_detach_start(run)
  waits[call] = wait
  local is_ok, a, b, c = raw.call_wait(call, limit, false)
  if is_ok == nil then
    raw.call_cancel(call)
    return blocking(run, 0)
  end
  return is_ok, a, b, c
end)

-- Waits for what a function gives that takes a time, and gives `nothing` when that is over.
local function wait_for(name, nothing)
  replace_long(name, function(wait, blocking, source, limit)
    local is_ok, news, message, err = patient(wait, limit, function(ms)
      local is_ok, news, message, err = blocking(source, ms)
      if not is_ok or news ~= nothing then return is_ok, news, message, err end
    end)
    if is_ok == nil then return true, nothing end
    return is_ok, news, message, err
  end)
end

wait_for("events_next", nil)
wait_for("pty_read", "")
wait_for("tui_next", nil)

replace("pages_next", function(wait, _, pages)
  local is_ok, state, item, err = patient(wait, nil, function()
    local is_ok, state, item, err = raw.pages_poll(pages)
    if not is_ok or state ~= "pending" then return is_ok, state, item, err end
  end)
  if is_ok then return true, item end
  return is_ok, state, item, err
end)

replace("tui_respond", function(wait, _, control, value)
  if value == nil then value = raw.null end
  local arguments = { body = value }
  return finished(wait, false, raw.call_start(clients[control], "tui.control.response", arguments))
end)

return waits
