-- Asks the agent, from the command line:
--
--   lua ai.lua [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT...
--
-- The answer is shown as it comes; --tui sends the prompt into the attached terminal interface instead.
-- What is not given comes from the environment (AI_SESSION, AI_AGENT, AI_MODEL, OPENCODE_BASE_URL,
-- OPENCODE_SERVER_USERNAME, OPENCODE_SERVER_PASSWORD), and else from lines NAME=VALUE in the file that
-- AI_SETTINGS names, or ~/.config/ai.env. Ctrl-C stops the agent.
--
-- Ends with 0, 1 for an error, 2 for a wrong command line, 130 for Ctrl-C.

local opencode = require "libopencode"

local function complain(code, text)
  io.stderr:write(text, "\n")
  os.exit(code)
end

local function usage()
  complain(2, "usage: ai [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT...")
end

local function read_settings()
  local values = {}
  local file = io.open(os.getenv("AI_SETTINGS") or (os.getenv("HOME") or "") .. "/.config/ai.env")
  if file then
    for line in (file:read("*a") or ""):gmatch("[^\n]+") do
      local name, value = line:match("^([%u_]+)=(.+)$")
      if name then values[name] = value end
    end
    file:close()
  end
  return function(name)
    local value = os.getenv(name)
    return value ~= "" and value or values[name]
  end
end

local function parse(setting)
  local options = { session = setting "AI_SESSION", agent = setting "AI_AGENT", model = setting "AI_MODEL" }
  local words, is_tui, i = {}, false, 1
  while arg[i] do
    local name = arg[i]:match("^%-%-(.*)$")
    if #words > 0 or not name then
      words[#words + 1] = arg[i]
    elseif name == "tui" then
      is_tui = true
    elseif (name == "session" or name == "agent" or name == "model") and arg[i + 1] then
      i = i + 1
      options[name] = arg[i]
    else
      usage()
    end
    i = i + 1
  end
  if #words == 0 then usage() end
  return options, table.concat(words, " "), is_tui
end

-- Returns the error of the run, if any. Lua looks for Ctrl-C between two calls: so none of them takes long.
---@param run opencode.Run
---@return opencode.Error?
local function show(run)
  local is_begun, err = false, nil
  repeat
    run:wait(50)
    local state, updates = run:poll()
    for _, update in ipairs(updates) do
      if update.type == "text" then
        io.write(update.replaces and is_begun and "\n" or "", update.delta)
        io.flush()
        is_begun = true
      elseif update.type == "failed" then
        err = update.error
      end
    end
  until state == "done" or state == "failed"
  if is_begun then print() end
  return err
end

local setting = read_settings()
local options, prompt, is_tui = parse(setting)
-- What is wrong with an option is raised: it is the caller's mistake, and here the user is the caller.
local is_made, client, _, err = pcall(opencode.client, {
  base_url = setting "OPENCODE_BASE_URL",
  username = setting "OPENCODE_SERVER_USERNAME",
  password = setting "OPENCODE_SERVER_PASSWORD",
})
if not is_made then return complain(1, "ai: " .. tostring(client)) end
if not client then return complain(1, "ai: " .. err.message) end

if is_tui then
  local is_sent
  is_sent, _, err = client:tui_prompt(prompt)
  if not is_sent then return complain(1, "ai: " .. err.message) end
  print("[sent to the terminal interface]")
  client:close()
  os.exit(0)
end

local is_ok, run
is_ok, run, _, err = pcall(client.run, client, prompt, options)
if not is_ok then return complain(1, "ai: " .. run) end
if not run then return complain(1, "ai: " .. err.message) end
---@cast run opencode.Run

local result
is_ok, result = pcall(show, run)
local code = 0
if not is_ok then
  if not tostring(result):find("interrupted!", 1, true) then error(result, 0) end
  run:cancel()
  io.stderr:write("\nai: stopped\n")
  code = 130
elseif result then
  io.stderr:write("ai: ", result.message, "\n")
  code = 1
end
local session = run:session_id()
if session then io.stderr:write("[session ", session, "]\n") end
client:close()
os.exit(code)
