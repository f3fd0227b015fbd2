-- What a host's loop calls: client:dispatch(), client:ready(), client:fd(), opencode.await(run).

local raw, opencode, shared = ...
local Client, Run, Call, Opening = shared.Client, shared.Run, shared.Call, shared.Opening
local finish, check_self = shared.finish, shared.check_self

-- Delivers what is new of one run; whether there is more to come. A callback that raises loses nothing: what came behind
-- is delivered the next time.
local function deliver(entry)
  if entry.is_over then return false end
  if entry.updates[entry.at] == nil then
    local state, updates = entry.run:poll()
    entry.updates, entry.at = updates, 1
    entry.is_last = state == "done" or state == "failed"
  end
  while entry.updates[entry.at] ~= nil do
    local update = entry.updates[entry.at]
    entry.at = entry.at + 1
    if entry.on_update then entry.on_update(update, entry.run) end
  end
  if not entry.is_last then return true end
  -- A callback may wait for its user in a loop of the host, which dispatches too.
  if entry.is_over then return false end
  entry.is_over = true
  if entry.on_done then entry.on_done(entry.run:wait(0)) end
  return false
end

-- Calls on_update and on_done of the runs of this client; how many of these go on. Never blocks.
function Client:dispatch()
  check_self(self, "dispatch", 2)
  local entries, at = self.callbacks, 1
  -- A callback may begin runs.
  while entries[at] do
    deliver(entries[at])
    at = at + 1
  end
  for i = #entries, 1, -1 do
    if entries[i].is_over then table.remove(entries, i) end
  end
  return #entries
end

-- By class: whether one has something to give, and whether it was the last that it gives.
local looks = {
  [Run] = { raw.run_is_ready, raw.run_is_drained },
  [Call] = { raw.call_is_ready, raw.call_is_done },
  [Opening] = { raw.opening_is_ready, raw.opening_is_done },
  [shared.EventStream] = { raw.events_is_ready, raw.events_is_over },
  [shared.Pty] = { raw.pty_is_ready, raw.pty_is_over },
  [shared.Pages] = { raw.pages_is_ready, raw.pages_is_over },
  [shared.TuiControl] = { raw.tui_is_ready, function() return false end },
}

-- The runs, calls, streams, terminals and lists that have something new, the oldest first. The descriptor is quiet afterwards
-- until there is more. Never blocks.
function Client:ready()
  check_self(self, "ready", 2)
  -- Calls of tools are no handle's: they would keep the descriptor readable.
  local tools = self.toolbox.tools
  if tools then tools:serve() end
  local found, handles = {}, self.handles
  for handle in pairs(handles) do
    if looks[getmetatable(handle)][1](handle.raw) then found[#found + 1] = handle end
  end
  table.sort(found, function(a, b) return handles[a] < handles[b] end)
  for _, handle in ipairs(found) do
    -- One that has ended is ready for ever; it is told once.
    if getmetatable(handle) ~= Run and looks[getmetatable(handle)][2](handle.raw) then handles[handle] = nil end
  end
  return found
end

-- Clients whose descriptor somebody watches: it must not be closed behind the back of an event loop.
local watched = {}

-- A descriptor that is readable while something waits to be polled. From here on the client lives until it is closed.
function Client:fd()
  check_self(self, "fd", 2)
  local fd, message, err = finish(2, raw.client_fd(self.raw))
  if fd then watched[self.first] = true end
  return fd, message, err
end

-- Prompts that are not sent yet get a second; nil, message, err when some were lost all the same. One that was made from
-- another ends alone.
function Client:close()
  check_self(self, "close", 2)
  local is_ok, message, err = finish(2, raw.client_close(self.raw))
  watched[self.raw] = nil
  return is_ok, message, err
end

-- In a coroutine: yields until a run or call is over, and gives its result. Whoever resumes the coroutine decides when to
-- look again.
function opencode.await(handle)
  local class = getmetatable(handle)
  if class ~= Run and class ~= Call and class ~= Opening then
    shared.expect(handle, "table", "opencode.await: the run or call", 2)
    error("opencode.await: a run or a call is wanted", 2)
  end
  local thread, is_main = coroutine.running()
  if not thread or is_main then
    error("opencode.await: this is no coroutine, so nobody can go on meanwhile; write " ..
      (class == Run and "run" or "call") .. ":wait()", 2)
  end
  local tools = handle.client and handle.client.toolbox.tools
  while true do
    if tools then tools:serve() end
    if class ~= Run then
      if looks[class][2](handle.raw) then break end
    else
      local state = raw.run_state(handle.raw)
      if state == "done" or state == "failed" then break end
    end
    coroutine.yield()
  end
  local result, message, err = handle:wait(0)
  return result, message, err
end
