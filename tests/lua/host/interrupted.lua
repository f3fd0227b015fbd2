-- Waits in the way that is named, until Ctrl-C ends that, and says how it ended.

local opencode = require "libopencode"
local client = assert(opencode.client())
local silent = 'silent @@[{"hang_ms":600000}]'

local ways = {
  ask = function() return client:ask(silent) end,
  wait = function() return client:run(silent):wait() end,
  wait_for_a_time = function() return client:run(silent):wait(600000) end,
  updates = function()
    for _ in client:run(silent):updates() do end
  end,
  operation = function() return client.tui.control.next() end,
  request = function() return client:request("GET", "/tui/control/next") end,
  call = function() return client:start("tui.control.next"):wait() end,
  stream = function()
    for _ in client:events { directory = "/tmp" }:each() do end
  end,
  pty = function()
    local pty = client:pty { command = "cat" }
    while pty:read() do end
  end,
  control = function() return client:tui_control():next() end,
  tools = function()
    client:tool { name = "never", description = "never called", handler = print }
    return client:run(silent):wait()
  end,
}

-- From here on, however long the start took. The shell's parent is this program.
os.execute "(sleep 2; kill -INT $PPID) &"
print("ended", pcall(ways[arg[1]]))
os.exit(0)
