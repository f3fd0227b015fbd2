-- The C library in the hands of LuaJIT's FFI: `luajit ffi.lua HEADER LIBRARY`. The header is read as it is shipped.

local ffi = require "ffi"
local path, library = ...

local here = arg[0]:match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path
local check = require "check"

local file = assert(io.open(path))
-- What is for C++ and for the preprocessor is left out.
local header = file:read("*a"):gsub("#ifdef __cplusplus.-#endif[^\n]*", ""):gsub("\n#[^\n]*", "\n")
header = header:gsub("OPENCODE_API%s", ""):gsub("OPENCODE_WARN_UNUSED%s", "")
file:close()
ffi.cdef(header)
local C = ffi.load(library)

-- What a function hands out through its last arguments is freed with the Lua value that holds it.
local function take(reply) return ffi.gc(reply[0], C.opencode_reply_free) end
local function text(reply, pointer)
  local found = C.opencode_reply_text(reply, pointer)
  return found ~= nil and ffi.string(found) or nil
end

local out = ffi.new "OpencodeClient *[1]"
check.equal(tonumber(C.opencode_client_new(nil, out, nil)), 0)
local client = ffi.gc(out[0], C.opencode_client_free)

check.test("the header and the library are of one kind", function()
  check.equal(C.opencode_abi_version(), tonumber(io.open(path):read("*a"):match "OPENCODE_ABI_VERSION (%d+)"))
  check.equal(ffi.string(C.opencode_version()):match "^%d+%.%d+%.%d+$" ~= nil, true)
end)

check.test("an operation", function()
  local reply = ffi.new "OpencodeReply *[1]"
  check.equal(C.opencode_call(client, "session.create", '{"title":"from ffi"}', reply), C.OPENCODE_STATUS_OK)
  check.equal(text(take(reply), "/title"), "from ffi")
  check.equal(C.opencode_call(client, "session.get", '{"sessionID":"ses_none"}', reply), C.OPENCODE_STATUS_NOT_FOUND)
  check.contains(ffi.string(C.opencode_reply_message(take(reply))), "ses_none")
end)

check.test("a tick", function()
  local made, update = ffi.new "OpencodeRun *[1]", ffi.new "OpencodeReply *[1]"
  local prompt = 'count @@[{"text":"1 2 3","delay_ms":50}]'
  check.equal(C.opencode_run_text(client, prompt, nil, made, nil), C.OPENCODE_STATUS_OK)
  local run = ffi.gc(made[0], C.opencode_run_free)
  local all, is_over = "", false
  while not is_over do
    check.equal(C.opencode_run_poll(run, 0, update), C.OPENCODE_STATUS_OK)
    if update[0] ~= nil then
      local got = take(update)
      local kind = text(got, "/type")
      if kind == "text" then all = all .. text(got, "/delta") end
      is_over = kind == "done" or kind == "failed"
    end
  end
  check.equal(all, "1 2 3")
end)

client = nil
collectgarbage()
check.done()
