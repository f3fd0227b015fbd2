-- Attachments, usage, and the terminal interface.

local raw, opencode, shared = ...
local finish, expect, check_self, Client = shared.finish, shared.expect, shared.check_self, shared.Client
local expect_text, expect_options, handle = shared.expect_text, shared.expect_options, shared.handle

-- A local file as a part of a prompt: client:ask { "Explain this", opencode.attach("main.c") }.
function opencode.attach(path, options)
  expect(path, "string", "opencode.attach: the path", 2)
  expect_options(options, "opencode.attach", 2)
  local part, message, err = finish(2, raw.attach(path, options))
  return part, message, err
end

function opencode.attach_bytes(name, bytes, options)
  expect_text(name, "opencode.attach_bytes: the name", 2)
  expect(bytes, "string", "opencode.attach_bytes: the bytes", 2)
  expect_options(options, "opencode.attach_bytes", 2)
  local part, message, err = finish(2, raw.attach_bytes(name, bytes, options))
  return part, message, err
end

-- Of all sessions when there is none: client:usage { since = "2026-11-01" }
function Client:usage(session, options)
  check_self(self, "usage", 2)
  if options == nil and (session == nil or type(session) == "table") then
    expect_options(session, "client:usage", 2)
    local usage, message, err = finish(2, raw.call(self.raw, "usage_of_all", session or {}, nil, false))
    return usage, message, err
  end
  expect_text(session, "client:usage: the session", 2)
  expect_options(options, "client:usage", 2)
  local usage, message, err = finish(2, raw.usage(self.raw, session, options))
  return usage, message, err
end

-- Blocks until agents, models and MCP servers are there; client:start("wait_until_ready", options) does not.
function Client:wait_until_ready(options)
  check_self(self, "wait_until_ready", 2)
  expect_options(options, "client:wait_until_ready", 2)
  local ready, message, err = finish(2, raw.call(self.raw, "wait_until_ready", options))
  return ready, message, err
end

-- True says that the server accepted the prompt, not that anybody is attached.
function Client:tui_prompt(text)
  check_self(self, "tui_prompt", 2)
  expect_text(text, "client:tui_prompt: the text", 2)
  local is_ok, message, err = finish(2, raw.tui_prompt(self.raw, text))
  return is_ok, message, err
end

local TuiControl = { __name = "opencode.control" }
TuiControl.__index = TuiControl
shared.TuiControl = TuiControl

-- The next request, { path, body }; nil without a message when none came in time. next(0) never blocks.
function TuiControl:next(timeout_ms)
  handle(self, TuiControl, "next", 2)
  shared.expect_time(timeout_ms, "control:next", 2)
  local request, message, err = finish(2, raw.tui_next(self.raw, timeout_ms))
  return request, message, err
end

function TuiControl:respond(value)
  local is_ok, message, err = finish(2, raw.tui_respond(handle(self, TuiControl, "respond", 2), value))
  return is_ok, message, err
end

function TuiControl:close() raw.tui_close(handle(self, TuiControl, "close", 2)) end

function Client:tui_control()
  check_self(self, "tui_control", 2)
  local control, message, err = finish(2, raw.tui_control(self.raw))
  if not control then return nil, message, err end
  return shared.hold(self, control, TuiControl)
end

-- A recording that answers in place of a server: opencode.client { base_url = replay:url() }.
local Replay = { __name = "opencode.replay" }
Replay.__index = Replay

function Replay:url() return raw.replay_url(handle(self, Replay, "url", 2)) end
function Replay:close() raw.replay_close(handle(self, Replay, "close", 2)) end
Replay.__close = Replay.close

function opencode.replay(path)
  expect_text(path, "opencode.replay: the path", 2)
  local made, message, err = finish(2, raw.replay(path))
  if not made then return nil, message, err end
  return setmetatable({ raw = made }, Replay)
end
