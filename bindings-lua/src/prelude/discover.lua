-- Which servers there are, and what is wrong with one: opencode.discover(2000), client:server(), client:doctor(),
-- opencode.doctor().

local raw, opencode, shared = ...
local finish, check_self, Client = shared.finish, shared.check_self, shared.Client

-- Blocks, at most for timeout_ms (2000).
function opencode.discover(timeout_ms)
  shared.expect_time(timeout_ms, "opencode.discover", 2)
  return raw.discover(timeout_ms or 2000)
end

-- { version, dialect }. Blocks for one request, two with a server of 2.x.
function Client:server()
  check_self(self, "server", 2)
  local info, message, err = finish(2, raw.server_info(self.raw))
  return info, message, err
end

-- { ok, checks = { { check, status, message, advice } }, text, elapsed_ms }. Blocks, at most five seconds.
function Client:doctor()
  check_self(self, "doctor", 2)
  return raw.doctor(self.raw)
end

-- For the command line: prints one line per check of the server that opencode.client(options) means.
function opencode.doctor(options)
  shared.expect_options(options, "opencode.doctor", 2)
  local made, message, err = finish(2, raw.client_new(options))
  if not made then return nil, message, err end
  local found = raw.doctor(made)
  print(found.text)
  return found
end
