-- Long lists, page by page, newest first.

local raw, _, shared = ...
local Client, finish, handle, check_self = shared.Client, shared.finish, shared.handle, shared.check_self
local hold = shared.hold

local Pages = { __name = "opencode.pages" }
Pages.__index = Pages
shared.Pages = Pages

-- The next item; nil at the end. Blocks when a page has to be fetched; poll does not.
function Pages:next()
  local item, message, err = finish(2, raw.pages_next(handle(self, Pages, "next", 2)))
  return item, message, err
end

-- "item" and the next item, "pending" while its page is on its way, "done" at the end, "failed" with message and err.
function Pages:poll()
  local is_ok, state, item, err = raw.pages_poll(handle(self, Pages, "poll", 2))
  if is_ok then return state, item end
  return "failed", item, setmetatable(err, shared.Error)
end

function Pages:is_complete() return raw.pages_is_complete(handle(self, Pages, "is_complete", 2)) end

-- In a `for` loop the list is its own iterator. A loop cannot be told of a failure, so that is raised, as io.lines does.
function Pages:__call()
  local item, message = finish(2, raw.pages_next(self.raw))
  if message then error(message, 2) end
  return item
end

function Client:messages(session_id, options)
  check_self(self, "messages", 2)
  shared.expect_text(session_id, "client:messages: the session", 2)
  shared.expect_options(options, "client:messages", 2)
  local pages, message, err = finish(2, raw.messages_open(self.raw, session_id, options))
  if not pages then return nil, message, err end
  return hold(self, pages, Pages)
end

function Client:sessions(options)
  check_self(self, "sessions", 2)
  shared.expect_options(options, "client:sessions", 2)
  local pages, message, err = finish(2, raw.sessions_open(self.raw, options))
  if not pages then return nil, message, err end
  return hold(self, pages, Pages)
end

-- A session with its subagents as one text, piece by piece: for piece in client:export(id) do file:write(piece) end
function Client:export(session_id, options)
  check_self(self, "export", 2)
  shared.expect_text(session_id, "client:export: the session", 2)
  shared.expect_options(options, "client:export", 2)
  local pages, message, err = finish(2, raw.export_open(self.raw, session_id, options))
  if not pages then return nil, message, err end
  return hold(self, pages, Pages)
end

-- The same into a file, which appears when it is complete.
function Client:export_to(session_id, path, options)
  check_self(self, "export_to", 2)
  shared.expect_text(session_id, "client:export_to: the session", 2)
  shared.expect_text(path, "client:export_to: the path", 2)
  shared.expect_options(options, "client:export_to", 2)
  local arguments = { sessionID = session_id, path = path }
  for name, value in pairs(options or {}) do arguments[name] = value end
  local written, message, err = finish(2, raw.call(self.raw, "export", arguments, nil, false))
  return written, message, err
end

-- Logging

-- What was logged since the last time: a list of { time, level, message }.
function Client:log()
  check_self(self, "log", 2)
  return raw.client_log(self.raw)
end
