-- The loop of an editor: a timer that polls, and the descriptor that says when to.

local check = require "check"
local opencode = require "libopencode"
local loop = vim.loop

local client = assert(opencode.client())
local slow = 'editor @@[{"text":"a b c d e f","delay_ms":60}]'

check.test("a timer polls while the editor goes on", function()
  local run = assert(client:run(slow))
  local text, ticks, state = "", 0, nil
  local timer = loop.new_timer()
  timer:start(0, 5, vim.schedule_wrap(function()
    ticks = ticks + 1
    local updates
    state, updates = run:poll()
    for _, update in ipairs(updates) do
      if update.type == "text" then text = text .. update.delta end
    end
  end))
  check.equal(vim.wait(60000, function() return state == "done" or state == "failed" end, 1), true)
  timer:close()
  check.equal(state, "done")
  check.equal(text, "a b c d e f")
  check.equal(ticks > 5, true, "the editor went on")
end)

check.test("the descriptor wakes the editor when there is something, and only then", function()
  local run = assert(client:run(slow))
  local text, wakes, state = "", 0, nil
  local poll = loop.new_poll(client:fd())
  poll:start("r", vim.schedule_wrap(function()
    wakes = wakes + 1
    local updates
    state, updates = run:poll()
    for _, update in ipairs(updates) do
      if update.type == "text" then text = text .. update.delta end
    end
  end))
  check.equal(vim.wait(60000, function() return state == "done" or state == "failed" end, 1), true)
  check.equal(text, "a b c d e f")
  local until_now = wakes
  vim.wait(200, function() return false end, 1)
  poll:stop()
  poll:close()
  check.equal(wakes - until_now < 3, true, "quiet when nothing happens")
  check.equal(until_now < 200, true, "woken by what happens: " .. until_now)
end)

check.test("a watcher that cares for one run of many does not spin", function()
  local mine, other = assert(client:run(slow)), assert(client:run(slow))
  local text, wakes, state = "", 0, nil
  local poll = loop.new_poll(client:fd())
  poll:start("r", vim.schedule_wrap(function()
    wakes = wakes + 1
    for _, handle in ipairs(client:ready()) do
      if handle == mine then
        local updates
        state, updates = mine:poll()
        for _, update in ipairs(updates) do
          if update.type == "text" then text = text .. update.delta end
        end
      end
    end
  end))
  check.equal(vim.wait(60000, function() return state == "done" or state == "failed" end, 1), true)
  check.equal(text, "a b c d e f")
  poll:stop()
  poll:close()
  check.equal(wakes < 400, true, "woken by what happens: " .. wakes)
  other:wait()
end)

check.test("the editor's null is null", function()
  check.equal(client.app.log { service = "x", level = "info", message = "m", extra = { gone = vim.NIL } }, true)
end)

check.test("a watcher outlives the last mention of its client", function()
  local function watch()
    local poll = loop.new_poll(assert(opencode.client { base_url = "http://127.0.0.1:9" }):fd())
    poll:start("r", function() end)
    return poll
  end
  local poll = watch()
  for _ = 1, 3 do collectgarbage() end
  -- libuv ends the whole program when a descriptor is gone.
  vim.wait(20, function() return false end, 1)
  poll:stop()
  poll:close()
end)

check.test("the descriptor wakes the editor for a call of a tool, which the agent makes in a buffer", function()
  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder, "p")
  local tools = assert(opencode.client { directory = folder })
  tools:tool { name = "write", description = "Writes a line", handler = function(arguments, call)
    vim.api.nvim_buf_set_lines(0, 0, -1, false, { arguments.line })
    -- Answered by a later turn of the editor's own loop.
    vim.schedule(function() call:reply(vim.api.nvim_buf_get_lines(0, 0, 1, false)[1]) end)
  end }
  local run = assert(tools:run 'write @@[{"tools":[{"name":"host_write","arguments":{"line":"by the agent"}}]},{"text":"end"}]')
  local poll, wakes, state = loop.new_poll(tools:fd()), 0, nil
  poll:start("r", vim.schedule_wrap(function()
    wakes = wakes + 1
    for _, handle in ipairs(tools:ready()) do state = handle:poll() end
  end))
  check.equal(vim.wait(60000, function() return state == "done" or state == "failed" end, 1), true)
  poll:stop()
  poll:close()
  check.equal(wakes < 400, true, "woken by what happens: " .. wakes)
  check.contains(vim.inspect(assert(run:wait(0)).messages), 'output = "by the agent"')
  tools:close()
end)
