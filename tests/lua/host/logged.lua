-- A program that says things to the server that belong in no log.

local client = assert(require "libopencode".client { headers = { ["x-key"] = "hunter2-very-secret" } })
client:request("GET", "/path", { query = { auth_token = "hunter2-very-secret" } })
client.global_.health()
