-- mpv: `mpv --script=mpv.lua FILE`, then `a`: asks the agent what is being played, and shows the answer as it comes.
-- The module must be on LUA_CPATH, for the Lua that this mpv was built with (5.1, 5.2 or LuaJIT).

local opencode = require "libopencode"
local client = assert(opencode.client())
local run

local function ask(prompt)
  if run then return end
  local text, message = "", nil
  run, message = client:run(prompt, {
    on_update = function(update)
      if update.type ~= "text" then return end
      text = update.replaces and update.delta or text .. update.delta
      mp.osd_message(text, 10)
    end,
    on_done = function(reply, why)
      run = nil
      mp.osd_message(reply and reply.text or why, 20)
      mp.msg.info(reply and reply.text or why)
    end,
  })
  if not run then mp.msg.error(message) end
end

mp.add_periodic_timer(0.05, function() client:dispatch() end)
mp.add_key_binding("a", "ask", function() ask("What do you know of " .. mp.get_property("media-title", "nothing") .. "?") end)
-- From elsewhere: `script-message-to mpv ask "Why?"`.
mp.register_script_message("ask", ask)
mp.register_event("shutdown", function() client:close() end)
