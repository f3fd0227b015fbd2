-- Plays a player of the mod in examples/luanti, and looks how long the steps of the server take.

local function log(text) minetest.log("action", "AI_TEST " .. text) end
local ai = minetest.registered_chatcommands.ai.func
local spoken, phase, steps, sum, longest = 0, "idle", 0, 0, 0

function minetest.chat_send_player(name, text)
  log(text)
  spoken = spoken + 1
  if text:find "/ai yes or" then log(tostring(ai(name, "yes"))) end
  if text:find "second line" or text:find "failed" then phase = "over" end
end

minetest.register_globalstep(function(dtime)
  steps, sum, longest = steps + 1, sum + dtime, math.max(longest, dtime)
  if phase == "idle" and steps == 40 then
    log(("steps without a run: %.1f ms, at most %.1f"):format(sum / steps * 1000, longest * 1000))
    phase, steps, sum, longest = "busy", 0, 0, 0
    log(tostring(ai("tester", os.getenv "PROMPT")))
    log(select(2, ai("tester", "another one")))
  elseif phase == "over" then
    log(("steps with a run: %.1f ms, at most %.1f"):format(sum / steps * 1000, longest * 1000))
    phase = "end"
    minetest.request_shutdown()
  elseif phase == "busy" and steps > 1000 then
    minetest.request_shutdown()
  end
end)
