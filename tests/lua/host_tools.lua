local check = require "check"
local opencode = require "libopencode"

-- A directory of their own: the tools of other programs in the server's one are apart.
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))
local client = assert(opencode.client { directory = folder })

-- A prompt in which the model makes these calls at once, and then says "end".
local function calls(list)
  local tools = {}
  for i, call in ipairs(list) do tools[i] = ('{"name":"host_%s","arguments":%s}'):format(call[1], call[2] or "{}") end
  return ('use tools @@[{"tools":[%s]},{"text":"end"}]'):format(table.concat(tools, ","))
end

-- What the tools gave, in the order of the calls.
local function outputs(reply)
  local all = {}
  for _, message in ipairs(reply.messages) do
    for _, part in ipairs(message.parts) do
      if part.type == "tool" then all[#all + 1] = part.state.output or "!" .. part.state.error end
    end
  end
  return all
end

local whole = { type = "object", properties = { n = { type = "integer" } }, required = { "n" } }

check.test("a tool answers on the thread of the script, at once, by a coroutine or later", function()
  local later, seen = {}, nil
  client:tool { name = "twice", description = "Doubles", parameters = whole, handler = function(arguments, call)
    seen = call
    return { n = arguments.n * 2, list = opencode.array {} }
  end }
  client:tool { name = "yields", description = "Takes some ticks", handler = function()
    for _ = 1, 3 do coroutine.yield() end
    return "after three ticks"
  end }
  client:tool { name = "later", description = "Answers later", handler = function(_, call) later[#later + 1] = call end }
  client:tool { name = "raises", description = "Raises", handler = function() error("no such place", 0) end }
  client:tool { name = "refuses", description = "Refuses", handler = function() return nil, "not today" end }
  client:tool { name = "raises_more", description = "Raises what is no text", parameters = whole, handler = function(arguments)
    error(arguments.n == 1 and { message = "out of sheep" } or { code = 7 })
  end }
  local prompt = calls {
    { "twice", '{"n":21}' }, { "yields" }, { "later" }, { "raises" }, { "refuses" }, { "twice", '{"n":"x"}' },
    { "raises_more", '{"n":1}' }, { "raises_more", '{"n":2}' },
  }
  local run, ticks = assert(client:run(prompt)), 0
  while true do
    local state, updates = run:poll()
    for _, update in ipairs(updates) do check.equal(update.type ~= "tool_call", true) end
    if state == "done" or state == "failed" then break end
    ticks = ticks + 1
    if later[1] and ticks % 50 == 0 then
      check.equal(later[1]:is_open(), true)
      check.equal(later[1]:reply "from a later tick", true)
      check.equal(later[1]:is_open(), false)
      check.fails("not_found", "nobody waits", table.remove(later, 1):reply "again")
    end
    os.execute "sleep 0.01"
  end
  local given = outputs(assert(run:wait(0)))
  check.equal(given[1], '{"n":42,"list":[]}' == given[1] and given[1] or '{"list":[],"n":42}')
  check.equal(given[2], "after three ticks")
  check.equal(given[3], "from a later tick")
  check.equal(given[4], "!no such place")
  check.equal(given[5], "!not today")
  check.contains(given[6], "!wrong arguments: value.n")
  check.equal(given[7], "!out of sheep")
  check.equal(given[8], "!the tool failed")
  check.equal(seen.sessionID, run:session_id())
end)

check.test("a handler may wait for its client, and a script may only wait", function()
  client:tool { name = "asks", description = "Asks", handler = function()
    local run = assert(client:run(calls { { "twice", '{"n":1}' } }))
    return outputs(assert(opencode.await(run)))[1]
  end }
  client:tool { name = "blocks", description = "Asks, and blocks", handler = function()
    return outputs(assert(client:ask(calls { { "twice", '{"n":2}' } })))[1]
  end }
  local given = outputs(assert(client:ask(calls { { "asks" }, { "blocks" } })))
  check.contains(given[1], '"n":2')
  check.contains(given[2], '"n":4')
  local text = ""
  for update in client:run(calls { { "yields" } }):updates() do
    if update.type == "text" then text = text .. update.delta end
  end
  check.equal(text, "end")
  check.equal(client:poll_tools(), 0)
end)

check.test("handlers that yield and handlers that await go on side by side", function()
  -- Of these some end inside the turn of the one that awaits, which is to be gone on with afterwards.
  client:tool { name = "ticks", description = "Takes some ticks", parameters = whole, handler = function(arguments)
    for _ = 1, arguments.n do coroutine.yield() end
    return "ticks"
  end }
  client:tool { name = "awaits", description = "Asks", handler = function()
    return assert(opencode.await(client:run('inner @@[{"text":"end"}]'))).text
  end }
  client:tool { name = "waits", description = "Yields, and asks", handler = function()
    coroutine.yield()
    return outputs(assert(client:ask(calls { { "ticks", '{"n":3}' } })))[1]
  end }
  local list = { { "ticks", '{"n":8}' }, { "ticks", '{"n":9}' }, { "awaits" }, { "waits" }, { "ticks", '{"n":4}' } }
  local run, ticks = assert(client:run(calls(list))), 0
  repeat
    local state = run:poll()
    ticks = ticks + 1
    os.execute "sleep 0.01"
  until state == "done" or state == "failed" or ticks > 2000
  check.equal(table.concat(outputs(assert(run:wait(0))), ", "), "ticks, ticks, end, ticks, ticks")
end)

check.test("scripts with prefixes of their own bring tools to one directory", function()
  local other = assert(opencode.client { directory = folder, tools_prefix = "mod" })
  for prefix, one in pairs { host = client, mod = other } do
    one:tool { name = "who", description = "Says whose it is", handler = function() return prefix end }
  end
  local first, second = client:run(calls { { "who" } }), other:run(((calls { { "who" } }):gsub("host_", "mod_")))
  check.equal(outputs(assert(first:wait()))[1], "host")
  check.equal(outputs(assert(second:wait()))[1], "mod")
  other:close()
  check.raises("tools_prefix 'a_b': a prefix is", function() opencode.client { tools_prefix = "a_b" } end)
end)

check.test("mistakes of a tool are told at the line of the script", function()
  check.raises("the handler must be a function", function() client:tool { name = "a", description = "x" } end)
  check.raises("letters, digits", function()
    client:tool { name = "a b", description = "x", handler = function() end }
  end)
  check.raises("did you mean 'parameters'", function()
    client:tool { name = "a", description = "x", parmeters = {}, handler = function() end }
  end)
  check.raises("with a colon", function() return (client.tool { name = "a" }) end)
end)

client:close()
os.execute("rm -rf " .. folder)
