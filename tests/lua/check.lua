-- A test runner in one page: named tests, one line each, exit code.

local check = { passed = 0, failures = {} }

function check.equal(got, wanted, what)
  if got ~= wanted then
    error((what or "value") .. ": got " .. tostring(got) .. ", wanted " .. tostring(wanted), 2)
  end
end

function check.contains(text, part)
  if type(text) ~= "string" or not text:find(part, 1, true) then
    error("'" .. tostring(text) .. "' has no '" .. part .. "'", 2)
  end
end

-- Calls a function that must raise a one-line string with the line of this file.
function check.raises(part, f, ...)
  local ok, message = pcall(f, ...)
  if ok then error("nothing was raised", 2) end
  if type(message) ~= "string" then error("raised a " .. type(message), 2) end
  if message:find("\n") then error("more than one line: " .. message, 2) end
  check.contains(message, part)
  return message
end

-- What a function gives when it fails at run time: nil, message, err.
function check.fails(kind, part, value, message, err)
  if value ~= nil then error("it did not fail", 2) end
  check.contains(message, part)
  check.equal(message:find("\n"), nil, "line break in the message")
  check.equal(err.kind, kind, "kind")
  check.equal(tostring(err), message, "tostring(err)")
  return err
end

-- How often this thread has slept so far: the system counts it, also while other programs keep the machine busy.
function check.sleeps()
  local file = assert(io.open("/proc/thread-self/status"))
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "\nvoluntary_ctxt_switches:%s+(%d+)")
end

-- Calls what stands in a tick until it gives true, and `least` times; no turn of it may have waited. Each wait is a sleep, and a
-- lock of the allocator costs one now and then; how many turns fit into a time says nothing, where a machine is busy.
function check.never_waits(turn, least)
  local before, ticks, is_over = check.sleeps(), 0, false
  repeat
    is_over = turn() or is_over
    ticks = ticks + 1
  until is_over and ticks >= (least or 1)
  local slept = check.sleeps() - before
  if slept * 20 > ticks then error(ticks .. " ticks slept " .. slept .. " times", 2) end
end

-- A clock that goes on while this thread sleeps, in seconds: `os.clock` counts its work alone.
function check.now()
  local file = assert(io.open "/proc/uptime")
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "^[%d.]+")
end

function check.test(name, f)
  local trace
  local begin = check.now()
  local ok = xpcall(f, function(message) trace = debug.traceback(tostring(message), 2) end)
  if ok then
    check.passed = check.passed + 1
    print(("ok %s (%.1f s)"):format(name, check.now() - begin))
  else
    local said = ("FAILED %s (%.1f s)\n%s"):format(name, check.now() - begin, trace)
    table.insert(check.failures, said)
    print(said)
  end
end

-- The command that runs a program of the folder `host` in an interpreter like this one.
function check.host(program)
  local path = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" .. "/host/" .. program
  local vim = rawget(_G, "vim")
  if not vim then return arg[-1] .. " " .. path end
  return vim.v.progpath .. " --headless -u NONE -i NONE -c 'luafile " .. path .. "' -c qa"
end

function check.done()
  -- Again: whoever reads a log looks at its end.
  for _, said in ipairs(check.failures) do print(said) end
  print(check.passed .. " passed, " .. #check.failures .. " failed")
  -- Hosts such as nvim take no exit code from a script that ends.
  if #check.failures > 0 then os.exit(1) end
end

return check
