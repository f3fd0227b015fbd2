local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

local function session(count)
  local id = assert(client.session.create()).id
  for i = 1, count do
    assert(client.session.prompt(id, { noReply = true, parts = { { type = "text", text = tostring(i) } } }))
  end
  return id
end

local function texts(messages)
  local all = ""
  for message in messages do all = all .. message.parts[1].text end
  return all
end

check.test("a session is exported in pieces and into a file", function()
  local id = session(3)
  local text = ""
  for piece in client:export(id, { format = "markdown" }) do text = text .. piece end
  check.equal(text:find("## User\n\n1\n\n## User\n\n2\n\n## User\n\n3\n", 1, true) ~= nil, true)
  local path = os.tmpname()
  local written = assert(client:export_to(id, path, { format = "markdown" }))
  check.equal(written.messages, 3)
  check.equal(assert(io.open(path)):read("*a"), text)
  assert(client:start("export", { sessionID = id, path = path }):wait())
  check.equal(assert(io.open(path)):read(9), '{"info":{')
  os.remove(path)
  check.fails("not_found", "cannot be written", client:export_to(id, "/no/such/folder/x"))
  check.raises("write json or markdown", function() client:export(id, { format = "html" }) end)
end)

check.test("messages come once and newest first", function()
  local id = session(7)
  check.equal(texts(client:messages(id)), "7654321")
  for _, page in ipairs { 1, 3, 7 } do
    check.equal(texts(client:messages(id, { page = page })), "7654321")
  end
  local messages = client:messages(id, { page = 2 })
  check.equal(messages:next().parts[1].text, "7")
  check.equal(messages:is_complete(), true)
end)

check.test("a prompt with a format hides nothing else", function()
  local id = assert(client.session.create()).id
  for i, format in ipairs { { type = "text" }, false } do
    local part = { type = "text", text = tostring(i) }
    assert(client.session.prompt(id, { noReply = true, parts = { part }, format = format or nil }))
  end
  local messages = client:messages(id)
  check.equal(texts(messages), "2")
  check.equal(messages:is_complete(), false)
end)

check.test("lists are read while the tick goes on, and the descriptor tells when a page is there", function()
  local id = session(5)
  local messages = client:messages(id, { page = 2 })
  local all, told = "", 0
  local state, item
  repeat
    state, item = messages:poll()
    if state == "item" then all = all .. item.parts[1].text end
    local is_told, until_ = state ~= "pending", check.now() + 60
    while not is_told do
      for _, handle in ipairs(client:ready()) do is_told = is_told or handle == messages end
      if is_told then told = told + 1 end
      check.equal(check.now() < until_, true, "nobody told that a page is there")
    end
  until state == "done" or state == "failed"
  check.equal(all .. state, "54321done")
  check.equal(messages:poll(), "done")
  -- Once a page, and for the end: who is told always would look for nothing.
  check.equal(told > 0 and told <= 5, true, "told " .. told .. " times")
  check.equal(messages:is_complete(), true)
  -- Loops and polls take from one list.
  messages = client:messages(id)
  repeat state, item = messages:poll() until state == "item"
  check.equal(item.parts[1].text .. texts(messages), "54321")
  local unknown = client:messages("ses_none")
  local message, err
  repeat state, message, err = unknown:poll() until state ~= "pending"
  check.equal(state, "failed")
  check.fails("not_found", "ses_none", nil, message, err)
  check.equal(unknown:poll(), "done")
end)

-- Kilobytes of this process.
local function memory()
  for line in io.lines("/proc/self/status") do
    local size = line:match("^VmRSS:%s+(%d+)")
    if size then return tonumber(size) end
  end
end

check.test("a long session takes the memory of a page", function()
  local id = assert(client.session.create()).id
  local part = { type = "text", text = ("x"):rep(500000) }
  for _ = 1, 20 do assert(client.session.prompt(id, { noReply = true, parts = { part } })) end
  local messages = client:messages(id, { page = 1 })
  messages:next()
  collectgarbage()
  local before, most, count = memory(), 0, 1
  for _ in messages do
    count = count + 1
    collectgarbage()
    most = math.max(most, memory())
  end
  check.equal(count, 20)
  -- All of them are 10 MB, a page is half of one.
  check.equal(most - before < 5000, true, most - before .. " KB")
end)

check.test("sessions of all directories are iterated", function()
  local made = assert(client.session.create { title = "from a page" })
  local found
  for one in client:sessions { scope = "global", page = 3 } do
    if one.id == made.id then
      found = one.title
      break
    end
  end
  check.equal(found, "from a page")
end)

check.test("what is wrong ends a list", function()
  local unknown = client:messages("ses_none")
  check.fails("not_found", "ses_none", unknown:next())
  check.equal(unknown:next(), nil)
  check.raises("not_found", function() for _ in client:messages("ses_none") do error("a message") end end)
  check.raises("1 or more", function() client:messages("ses_1", { page = 0 }) end)
  check.raises("must be a string", function() client:messages() end)
  check.raises("directory, global", function() client:sessions { scope = "all" } end)
end)

check.test("a call has its own directory, workspace and headers", function()
  check.equal(client:call("path.get", nil, { directory = "/tmp" }).directory, "/tmp")
  check.equal(client.path.get({ directory = "/tmp" }).directory, "/tmp")
  check.equal(assert(client:start("path.get", nil, { directory = "/tmp" })):wait(60000).directory, "/tmp")
  check.equal(client:request("GET", "/path", { directory = "/tmp" }).directory, "/tmp")
  check.fails("server", "wrk_none", client.session.list(nil, { workspace = "wrk_none" }))
  local wrong = { headers = { authorization = "Basic eDp5" } }
  check.fails("unauthorized", "OPENCODE_SERVER_PASSWORD", client.session.list(nil, wrong))
  check.equal(assert(client:start("global.health", nil, { raw = true })):wait(60000).status, 200)
  check.equal(client:request("GET", "/global/health", { raw = true }).status, 200)
end)

check.test("messages are logged when asked for, and secrets are not", function()
  check.equal(#client:log(), 0)
  local secret = "hunter2-very-secret"
  local loud = assert(opencode.client { log = "debug", password = secret })
  loud.session.list()
  loud:ask("x")
  loud:request("GET", "/path", { query = { auth_token = secret } })
  local all = ""
  for _, record in ipairs(loud:log()) do
    check.equal(record.time > 1.7e12, true)
    check.equal(type(record.level), "string")
    all = all .. record.message .. "\n"
  end
  check.contains(all, "GET /session")
  check.contains(all, "auth_token=***")
  check.equal(all:find(secret, 1, true), nil)
  check.equal(#loud:log(), 0)
  check.raises("error, warn, info, debug", opencode.client, { log = "loud" })
end)

check.test("messages are printed when the environment asks for them, and secrets are not", function()
  local host = check.host("logged.lua")
  local function printed(level)
    local pipe = assert(io.popen("OPENCODE_LOG=" .. level .. " " .. host .. " 2>&1"))
    local text = pipe:read "*a"
    pipe:close()
    return text
  end
  check.equal(printed "", "")
  local all = printed "debug"
  check.contains(all, "opencode debug")
  check.contains(all, "GET /path?auth_token=***")
  check.contains(all, "GET /global/health")
  for _, secret in ipairs { "hunter2", os.getenv "OPENCODE_SERVER_PASSWORD" } do
    check.equal(all:find(secret, 1, true), nil)
  end
end)
