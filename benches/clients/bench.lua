-- What the clients in Lua share: how they measure, and how they say what they saw.

local bench = {}

-- LuaSocket brings a clock of the wall; without it there is that of the process.
local has_socket, socket = pcall(require, "socket")
local now = has_socket and socket.gettime or os.clock

local function peak_mb()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmHWM:%s*(%d+)"
    if kb then return kb / 1024 end
  end
end

function bench.say(format, ...) print((format:gsub("'", '"')):format(...)) end

function bench.get(work, count)
  for _ = 1, math.floor(count / 10) + 1 do work() end
  local times, cpu = {}, os.clock()
  for n = 1, count do
    local before = now()
    work()
    times[n] = now() - before
  end
  cpu = (os.clock() - cpu) / count
  table.sort(times)
  bench.say("{'us':%.3f,'p99_us':%.3f,'cpu_us':%.3f}", times[math.floor(count / 2) + 1] * 1e6, times[count - math.floor(count / 100)] * 1e6, cpu * 1e6)
end

-- How often something of this size is done: long things a few times.
function bench.rounds(size) return math.min(math.max(math.floor(20000 / size), 20), 500) end

function bench.history(work)
  local before = now()
  local answer = work()
  local took = now() - before
  assert(#answer > 0, "the history is empty")
  bench.say("{'ms':%.3f,'rss_mb':%.1f}", took * 1e3, peak_mb())
end

-- `work` gives how many came, and how many were lost on the way.
function bench.events(work, count)
  local before = now()
  local got, lost = work(count)
  local took = now() - before
  assert(got + lost >= count, "events are missing")
  bench.say("{'per_s':%.0f,'got':%d,'lost':%d,'rss_mb':%.1f}", got / took, got, lost, peak_mb())
end

function bench.cancel(work, count)
  local times = {}
  for n = 1, count do times[n] = work(now) end
  table.sort(times)
  bench.say("{'us':%.1f,'p99_us':%.1f}", times[math.floor(count / 2) + 1] * 1e6, times[count - math.floor(count / 100)] * 1e6)
end

return bench
