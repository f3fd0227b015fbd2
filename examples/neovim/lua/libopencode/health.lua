-- :checkhealth libopencode

local M = {}

local health = vim.health or require "health"
local start = health.start or health.report_start
local report = {
  ok = health.ok or health.report_ok,
  warn = health.warn or health.report_warn,
  fail = health.error or health.report_error,
}

function M.check()
  start "The module"
  local is_there, opencode = pcall(require, "libopencode")
  if not is_there then
    return report.fail(opencode, { "put libopencode.so for Lua 5.1 and LuaJIT into a folder lua/ of 'runtimepath'" })
  end
  report.ok("libopencode " .. opencode.version)
  start "The server"
  local client, message = opencode.client(require("libopencode.nvim").client_options())
  if not client then return report.fail(message) end
  -- Five seconds at most.
  for _, found in ipairs(client:doctor().checks) do
    report[found.status](found.check .. ": " .. found.message, found.advice and { found.advice } or nil)
  end
end

return M
