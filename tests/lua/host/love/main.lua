-- Plays the game of examples/love without a window: types a prompt, says yes, and looks how long frames take.

local game = require "game"
local update, load = love.update, love.load
local seen = { frames = 0, slow = 0, worst_ms = 0 }
local asked = false

function love.load(...)
  load(...)
  love.textinput(os.getenv "PROMPT")
  love.keypressed "return"
  seen.begin = love.timer.getTime()
end

function love.update(dt)
  local begin = love.timer.getTime()
  update(dt)
  local took = love.timer.getTime() - begin
  seen.frames = seen.frames + 1
  if took > 1 / 120 then seen.slow = seen.slow + 1 end
  seen.worst_ms = math.max(seen.worst_ms, took * 1000)
  local state = game.state()
  if state.notice:find "y/n" and not asked then
    asked = true
    love.textinput "y"
  end
  -- A server that is dead is waited for; the game ends in the middle of that.
  local limit = os.getenv("OPENCODE_BASE_URL"):find ":9$" and 2 or 40
  if state.is_busy and love.timer.getTime() - seen.begin < limit then return end
  print(('{"frames":%d,"slow":%d,"worst_ms":%.1f,"answer":%d,"asked":%s}'):format(
    seen.frames, seen.slow, seen.worst_ms, #state.answer, tostring(asked)))
  love.event.quit()
end
