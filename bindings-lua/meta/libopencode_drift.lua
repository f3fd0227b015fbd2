---@meta libopencode_drift

---What a running server has that this module does not know, and the other way round.
---@class opencode.Drift
---@field new opencode.Endpoint[] only the server has these; `client:request` reaches them
---@field gone opencode.Endpoint[] the server has these no more
---@field changed opencode.Change[] both have these, and differently

---@class opencode.Endpoint
---@field operation string our name; of a new one, the server's id
---@field method string such as "GET"
---@field path string with {argument} for each argument in it

---@class opencode.Change
---@field operation string
---@field differences string[] one sentence each

---@class opencode.Client
local Client = {}

---Compares what the server says it can do with the operations known here. Blocks for one request.
---@return opencode.Drift? drift three empty lists where there is no difference
---@return string? message
---@return opencode.Error? err
function Client:drift() end
