-- OpenCode in Neovim: a chat in a split that fills while you go on typing. Prompts run in threads of the module; a timer
-- collects what is new. Nothing here waits.

local M = {}

local config = {
  client = {}, -- options of opencode.client: base_url, username, password ...
  run = { permission = "ask", question = "ask" }, -- options of client:run: model, agent ...
  open = "botright vsplit", -- how the chat gets its window
  interval = 50, -- milliseconds between two looks
}

function M.setup(given) config = vim.tbl_deep_extend("force", config, given or {}) end

local api = vim.api
local client, run, session, chat
local answer_line = 0 -- where the answer begins in the chat
local spent = { tokens = 0, cost = 0 }
local timer = vim.loop.new_timer()

local function warn(message) vim.notify("opencode: " .. message, vim.log.levels.WARN) end

-- The chat

local function buffer()
  if not (chat and api.nvim_buf_is_loaded(chat)) then
    -- One that was here before the plugin was loaded again goes on.
    local before = vim.fn.bufnr "opencode://chat"
    -- Of one that the user has deleted only the name is left.
    if before ~= -1 and not api.nvim_buf_is_loaded(before) then
      api.nvim_buf_delete(before, { force = true })
      before = -1
    end
    chat = before ~= -1 and before or api.nvim_create_buf(false, true)
    if before == -1 then api.nvim_buf_set_name(chat, "opencode://chat") end
    vim.bo[chat].filetype = "markdown"
  end
  return chat
end

function M.show()
  local window = vim.fn.bufwinid(buffer())
  if window ~= -1 then return window end
  local before = api.nvim_get_current_win()
  vim.cmd(config.open)
  window = api.nvim_get_current_win()
  api.nvim_win_set_buf(window, chat)
  vim.wo[window].wrap = true
  vim.wo[window].linebreak = true
  api.nvim_set_current_win(before)
  return window
end

-- Writes from a line on, and keeps the end in sight where nobody reads further up.
local function write(from, lines)
  local last = api.nvim_buf_line_count(buffer())
  local windows = vim.tbl_filter(function(window)
    return api.nvim_win_get_buf(window) == chat and api.nvim_win_get_cursor(window)[1] == last
  end, api.nvim_list_wins())
  api.nvim_buf_set_lines(chat, from, -1, false, lines)
  for _, window in ipairs(windows) do
    api.nvim_win_set_cursor(window, { api.nvim_buf_line_count(chat), 0 })
  end
end

local function append(text)
  local last = api.nvim_buf_line_count(buffer()) - 1
  local line = api.nvim_buf_get_lines(chat, last, -1, false)[1]
  write(last, vim.split(line .. text, "\n", { plain = true }))
end

local function append_block(text)
  local lines = api.nvim_buf_get_lines(buffer(), -2, -1, false)
  append((lines[1] == "" and "" or "\n\n") .. text .. "\n\n")
end

-- What a run tells, by the type of the update

local on = {}

function on.text(update)
  if not update.replaces then return append(update.delta) end
  write(answer_line, vim.split(update.delta, "\n", { plain = true }))
end

function on.tool(update)
  local state = update.part.state
  if state.status == "completed" then append_block("> " .. update.part.tool .. ": " .. (state.title or "")) end
  if state.status == "error" then append_block("> " .. update.part.tool .. " failed: " .. (state.error or "")) end
end

function on.permission(update, asking)
  local what = update.request.permission .. " " .. table.concat(update.request.patterns, ", ")
  vim.ui.select({ "once", "always", "reject" }, { prompt = "The agent wants: " .. what }, function(choice)
    asking:reply_permission(update.id, choice or "reject")
  end)
end

function on.question(update, asking)
  local questions, answers = update.request.questions, {}
  local function ask(number)
    local question = questions[number]
    if not question then return asking:reply_question(update.id, answers) end
    local labels = vim.tbl_map(function(option) return option.label end, question.options)
    table.insert(labels, "something else ...")
    local function answer(text)
      -- Who leaves one question leaves them all.
      if not text then return asking:reply_question(update.id, nil) end
      answers[number] = { text }
      ask(number + 1)
    end
    vim.ui.select(labels, { prompt = question.question }, function(label, index)
      if index == #labels then return vim.ui.input({ prompt = question.question .. " " }, answer) end
      answer(label)
    end)
  end
  ask(1)
end

local function on_update(update, asking)
  -- A prompt for the user may wait for him: what comes meanwhile is not to wait with it.
  if on[update.type] then vim.schedule(function() on[update.type](update, asking) end) end
end

local function on_done(reply, message)
  vim.schedule(function()
    session, run = run:session_id() or session, nil
    if reply then
      spent = { tokens = spent.tokens + reply.tokens.total, cost = spent.cost + reply.cost }
      append "\n\n"
    else
      append_block("**" .. message .. "**")
    end
    vim.cmd "redrawstatus!"
  end)
end

local shown
local function tick()
  local open = client:dispatch()
  if open == 0 then timer:stop() end
  local status = M.statusline()
  if status ~= shown then vim.cmd "redrawstatus!" end
  shown = status
end

-- What commands do

-- The module; without it a line in place of the list of all folders that were looked through.
local function load()
  local is_there, found = pcall(require, "libopencode")
  if is_there then return found end
  warn(found:match "^[^\n]*" .. " -- :checkhealth libopencode says what to do")
end

-- What the client is made with; :checkhealth tries the same.
function M.client_options() return vim.tbl_extend("keep", config.client, { directory = vim.fn.getcwd() }) end

local function connect()
  if client then return client end
  local opencode = load()
  if not opencode then return end
  local message
  client, message = opencode.client(M.client_options())
  if not client then warn(message) end
  return client
end

-- Lines of this buffer, as they stand in it, for the prompt.
local function selection(range)
  local name = vim.fn.expand "%:."
  local lines = api.nvim_buf_get_lines(0, range[1] - 1, range[2], false)
  local title = (name == "" and "buffer" or name) .. ":" .. range[1] .. "-" .. range[2]
  local part, message = require("libopencode").attach_bytes(title, table.concat(lines, "\n") .. "\n")
  return part, message
end

-- Asks the agent; `range` is the first and the last line that belong to the prompt.
function M.ask(prompt, range)
  if not connect() then return end
  local part, message
  if range then part, message = selection(range) end
  -- Without its lines it would be another prompt.
  if message then return warn(message) end
  if prompt ~= "" then return M.send(prompt, part) end
  vim.ui.input({ prompt = "Ask: " }, function(text)
    if text and text ~= "" then M.send(text, part) end
  end)
end

function M.send(prompt, part)
  if run then return warn "the agent still works; :OpencodeAbort stops it" end
  if not connect() then return end
  local options = vim.tbl_extend("force", config.run, { session = session, on_update = on_update, on_done = on_done })
  local message
  run, message = client:run({ prompt, part }, options)
  if not run then return warn(message) end
  M.show()
  append_block("# " .. prompt:gsub("\n", "\n# ") .. (part and "\n*" .. part.filename .. "*" or ""))
  answer_line = api.nvim_buf_line_count(chat) - 1
  timer:start(0, config.interval, vim.schedule_wrap(tick))
end

function M.abort()
  if run then run:cancel(0) end
end

function M.forget()
  if run then return warn "the agent still works; :OpencodeAbort stops it" end
  session, spent = nil, { tokens = 0, cost = 0 }
end

-- For 'statusline': %{v:lua.require'libopencode.nvim'.statusline()}
function M.statusline()
  local used = ("%d tokens, $%.2f"):format(spent.tokens, spent.cost)
  if not run then return spent.tokens > 0 and used or "" end
  -- What is to be done about it is told in the end, and has no room here.
  local why = vim.fn.strcharpart(run:why():match "^[^;]*", 0, 60)
  return (why ~= "" and why or "the agent answers") .. " (" .. used .. ")"
end

return M
