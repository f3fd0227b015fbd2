-- The commands. The module is loaded when the first of them is used.

local command = vim.api.nvim_create_user_command
local function chat() return require "libopencode.nvim" end

command("OpencodeAsk", function(given)
  chat().ask(given.args, given.range > 0 and { given.line1, given.line2 } or nil)
end, { nargs = "*", range = true, desc = "Asks the agent; with a range its lines belong to the prompt" })

command("OpencodeAbort", function() chat().abort() end, { desc = "Stops the agent" })
command("OpencodeNew", function() chat().forget() end, { desc = "The next prompt begins another session" })
command("OpencodeShow", function() chat().show() end, { desc = "Shows the chat" })
