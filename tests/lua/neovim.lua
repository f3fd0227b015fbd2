-- The plugin of examples/neovim in a Neovim of its own, against the real server.

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
package.path = here .. "/?.lua;" .. package.path
local check = require "check"

-- Beside a plugin that owns the other name.
local other = vim.fn.tempname()
vim.fn.mkdir(other .. "/lua", "p")
vim.fn.writefile({ "return 'another plugin'" }, other .. "/lua/opencode.lua")
vim.opt.runtimepath:append(other)
vim.opt.runtimepath:append(here .. "/../../examples/neovim")
vim.cmd "runtime plugin/libopencode.lua"

local plugin = require "libopencode.nvim"

local function text()
  local chat = vim.fn.bufnr "opencode://chat"
  return chat == -1 and "" or table.concat(vim.api.nvim_buf_get_lines(chat, 0, -1, false), "\n")
end
local function until_(part)
  local is_there = vim.wait(60000, function() return text():find(part, 1, true) ~= nil end, 5)
  if not is_there then error("'" .. part .. "' is not in the chat: " .. text(), 2) end
end
local function idle()
  check.equal(vim.wait(60000, function() return not plugin.statusline():find("(", 1, true) end, 5), true, "idle")
end

check.test("an answer streams into the chat while the editor goes on", function()
  local ticks, timer = 0, vim.loop.new_timer()
  timer:start(0, 5, vim.schedule_wrap(function() ticks = ticks + 1 end))
  local window = vim.api.nvim_get_current_win()
  vim.cmd [[OpencodeAsk hello @@[{"text":"a *fine*\nanswer of words","delay_ms":60}] ]]
  check.equal(vim.api.nvim_get_current_win(), window, "the cursor stays where it was")
  until_ "\na *fine*"
  check.equal(text():find("\nanswer of words", 1, true), nil, "it streams")
  check.equal(plugin.statusline():find("0 tokens", 1, true) ~= nil, true, plugin.statusline())
  vim.cmd "OpencodeAsk again"
  until_ "\nanswer of words"
  idle()
  timer:close()
  check.equal(ticks > 5, true, "the editor went on")
  check.contains(plugin.statusline(), "tokens, $")
  check.equal(vim.bo[vim.fn.bufnr "opencode://chat"].filetype, "markdown")
  check.equal(require "opencode", "another plugin")
end)

check.test("selected lines belong to the prompt, and the session goes on", function()
  vim.api.nvim_buf_set_lines(0, 0, -1, false, { "first", "second", "third", "fourth" })
  vim.cmd [[2,3OpencodeAsk look @@[{"text":"seen it"}] ]]
  until_ "\nseen it"
  idle()
  local client = assert(require("libopencode").client())
  local sessions = assert(client.session.list())
  table.sort(sessions, function(a, b) return a.time.updated > b.time.updated end)
  local all = vim.inspect(assert(client.session.messages(sessions[1].id)))
  check.contains(all, "second\\nthird\\n")
  check.equal(all:find("fourth", 1, true), nil)
  check.contains(all, "hello @@")
  check.contains(text(), "buffer:2-3")
  client:close()
end)

check.test("permissions and questions are asked with vim.ui.select", function()
  local asked = {}
  vim.ui.select = function(items, options, choose)
    asked[#asked + 1] = options.prompt
    vim.defer_fn(function() choose(items[1], 1) end, 20)
  end
  vim.cmd [[OpencodeAsk read @@[{"tools":[{"name":"read","arguments":{"filePath":"/etc/hostname"}}]},{"text":"it was read"}] ]]
  until_ "\nit was read"
  idle()
  check.equal(#asked, 1, text())
  check.contains(asked[1], "external_directory")
  check.contains(text(), "> read:")
  vim.ui.select = function(_, _, choose) choose(nil) end
  vim.cmd [[OpencodeAsk read @@[{"tools":[{"name":"read","arguments":{"filePath":"/usr/lib/os-release"}}]},{"text":"never"}] ]]
  -- A refusal without a word ends the turn.
  until_ "> read failed:"
  idle()
  local labels
  vim.ui.select = function(items, options, choose)
    check.equal(options.prompt, "Which?")
    labels = items
    choose(items[#items], #items)
  end
  vim.ui.input = function(_, confirm) confirm "mine" end
  vim.cmd([[OpencodeAsk ask @@[{"tools":[{"name":"question","arguments":{"questions":[{"question":"Which?","header":"W",]] ..
    [["options":[{"label":"A","description":"a"},{"label":"B","description":"b"}]}]}}]},{"text":"thank you"}] ]])
  until_ "\nthank you"
  idle()
  check.equal(table.concat(labels, " "), "A B something else ...")
end)

check.test("abort stops the agent, and what fails is told", function()
  vim.cmd [[OpencodeAsk slow @@[{"text":"one two three four five","delay_ms":2000}] ]]
  until_ "\none"
  vim.cmd "OpencodeAbort"
  until_ "cancelled"
  idle()
  vim.cmd [[OpencodeAsk fail @@[{"status":400,"body":{"error":{"message":"no such luck"}}}] ]]
  until_ "\n**agent"
  idle()
end)

check.test("why the agent waits has room in the statusline", function()
  -- The plugin once more, as after a reload, without a server.
  local _, file = next(vim.api.nvim_get_runtime_file("lua/libopencode/nvim.lua", false))
  local alone = dofile(file)
  alone.setup { client = { base_url = "http://127.0.0.1:9" }, run = { server_timeout_ms = 60000 } }
  alone.ask "hello"
  check.equal(vim.wait(60000, function() return alone.statusline():find("the server does not answer", 1, true) ~= nil end, 5), true)
  check.equal(vim.fn.strchars(alone.statusline()) < 90, true, alone.statusline())
  -- Whoever deletes the chat meanwhile gets another one.
  vim.cmd("bdelete! " .. vim.fn.bufnr "opencode://chat")
  alone.abort()
  until_ "**cancelled"
  alone.show()
  check.equal(vim.bo[vim.fn.bufnr "opencode://chat"].buftype, "nofile")
end)

check.test("a module that is not there is told in one line", function()
  local told = {}
  local notify, path, loaded = vim.notify, package.cpath, package.loaded.libopencode
  vim.notify = function(message) table.insert(told, message) end
  package.cpath, package.loaded.libopencode = "", nil
  local _, file = next(vim.api.nvim_get_runtime_file("lua/libopencode/nvim.lua", false))
  local alone = dofile(file)
  alone.ask("hello", { 1, 1 })
  alone.ask "hello"
  vim.notify, package.cpath, package.loaded.libopencode = notify, path, loaded
  check.equal(#told, 2)
  check.contains(told[2], "module 'libopencode' not found")
  check.contains(told[2], ":checkhealth libopencode")
  check.equal(told[2]:find "\n", nil)
end)

check.test("without the lines that belong to a prompt nothing is sent", function()
  local told = {}
  local notify, before = vim.notify, text()
  vim.notify = function(message) table.insert(told, message) end
  vim.cmd "enew!"
  vim.api.nvim_buf_set_lines(0, 0, -1, false, { ("x"):rep(20000001) })
  vim.cmd "1OpencodeAsk what is this"
  vim.cmd "enew!"
  vim.notify = notify
  check.equal(#told, 1)
  check.contains(told[1], "more than 20000000 bytes")
  check.equal(text(), before)
end)

local function health()
  vim.cmd "checkhealth libopencode"
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end

check.test("checkhealth says that all is well, and tries the server of the settings", function()
  local all = health()
  check.contains(all, "libopencode " .. require("libopencode").version)
  check.equal(all:find "ERROR", nil, all)
  plugin.setup { client = { base_url = "http://127.0.0.1:9" } }
  all = health()
  check.equal(all:find "ERROR" ~= nil, true, all)
end)

check.done()
