-- /ai PROMPT asks an OpenCode agent: the answer comes into the chat line by line, each player has a session of his own, and
-- what the agent wants to do is asked with `/ai yes` and `/ai no`. A step of the server only takes what is there.

-- Only while mods are loaded, and only for those in `secure.trusted_mods`.
local insecure = minetest.request_insecure_environment()
if not insecure then error "ai: add this mod to secure.trusted_mods in minetest.conf" end
insecure.package.cpath = minetest.get_modpath "ai" .. "/?.so;" .. insecure.package.cpath
local opencode = insecure.require "libopencode"

local settings = minetest.settings
local client = assert(opencode.client {
  base_url = settings:get "ai_url",
  password = settings:get "ai_password",
})
local pause = tonumber(settings:get "ai_pause") or 10 -- seconds between two prompts of a player

-- By player: run, session, the line that is not complete yet, what is asked, when the last prompt was.
local players = {}

local function say(name, text) minetest.chat_send_player(name, "[ai] " .. text) end

local function start(name, prompt)
  local player = players[name] or { last = -math.huge }
  players[name] = player
  local now = minetest.get_us_time() / 1e6
  if player.run then return false, "The agent still answers; /ai stop ends it." end
  if now - player.last < pause then return false, "Please wait a little." end
  local line = ""
  local run, message = client:run(prompt, {
    session = player.session,
    permission = "ask",
    on_update = function(update)
      if update.type == "text" then
        line = update.replaces and update.delta or line .. update.delta
        line = line:gsub("([^\n]*)\n", function(whole)
          say(name, whole)
          return ""
        end)
      elseif update.type == "permission" then
        player.asked = update.id
        local what = update.request.permission .. " " .. table.concat(update.request.patterns, ", ")
        say(name, "The agent wants: " .. what .. ". /ai yes or /ai no?")
      end
    end,
    on_done = function(reply, why)
      if line ~= "" then say(name, line) end
      if not reply then say(name, why) end
      player.session, player.run, player.asked = player.run:session_id() or player.session, nil, nil
    end,
  })
  if not run then return false, message end
  player.run, player.last = run, now
  return true
end

local function decide(name, reply)
  local player = players[name]
  if not (player and player.asked) then return false, "Nothing is asked." end
  player.run:reply_permission(player.asked, reply, "the player said no")
  player.asked = nil
  return true
end

local function stop(name)
  local player = players[name]
  if player and player.run then player.run:cancel(0) end
  return true
end

minetest.register_privilege("ai", { description = "May ask the agent", give_to_singleplayer = false })

minetest.register_chatcommand("ai", {
  params = "<prompt> | yes | no | stop",
  description = "Asks the agent",
  privs = { ai = true },
  func = function(name, words)
    if words == "" then return false, "What is the question?" end
    if words == "yes" then return decide(name, "once") end
    if words == "no" then return decide(name, "reject") end
    if words == "stop" then return stop(name) end
    return start(name, words)
  end,
})

minetest.register_globalstep(function() client:dispatch() end)
minetest.register_on_leaveplayer(function(player) stop(player:get_player_name()) end)
minetest.register_on_shutdown(function() client:close() end)
