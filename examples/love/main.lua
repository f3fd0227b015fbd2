-- A text box, an answer that grows, and a ball that never stutters: prompts run in threads of the module, and a frame
-- only takes what is there. Type and press Enter; Escape stops the agent; y and n answer what it asks.

-- The module lies beside the .love file, or beside the folder of the game: the system loads no library out of a zip.
package.cpath = love.filesystem.getSourceBaseDirectory() .. "/?.so;" .. package.cpath
local opencode = require "libopencode"

local client, run, session
local typed, answer, notice = "", "", "Type and press Enter."
local asked -- a permission that waits for the player
local ball = { x = 100, y = 60, dx = 240, dy = 180 }

local function on_update(update)
  if update.type == "text" then answer = update.replaces and update.delta or answer .. update.delta end
  if update.type == "permission" then
    asked = update
    notice = "The agent wants: " .. update.request.permission .. " " .. table.concat(update.request.patterns, ", ") .. " (y/n)"
  end
end

local function on_done(reply, message)
  session, run, asked = run:session_id() or session, nil, nil
  notice = reply and ("%d tokens, $%.4f"):format(reply.tokens.total, reply.cost) or message
end

local function ask(prompt)
  answer, notice = "", "..."
  local options = { session = session, permission = "ask", on_update = on_update, on_done = on_done }
  local message
  run, message = client:run(prompt, options)
  if not run then notice = message end
end

function love.load()
  local message
  client, message = opencode.client()
  if not client then error(message) end
end

function love.update(dt)
  client:dispatch()
  ball.x, ball.y = ball.x + ball.dx * dt, ball.y + ball.dy * dt
  -- Back into the field, also after a long first frame.
  if ball.x < 0 or ball.x > 800 then ball.dx = ball.x < 0 and 240 or -240 end
  if ball.y < 0 or ball.y > 120 then ball.dy = ball.y < 0 and 180 or -180 end
  if run and not asked then notice = run:why() end
end

function love.draw()
  love.graphics.circle("fill", ball.x, ball.y, 12)
  love.graphics.printf("> " .. typed .. "_", 20, 160, 760)
  love.graphics.printf(notice, 20, 200, 760)
  love.graphics.printf(answer, 20, 240, 760)
end

function love.textinput(text)
  if asked then
    if text == "y" or text == "n" then
      run:reply_permission(asked.id, text == "y" and "once" or "reject", "the player said no")
      asked = nil
    end
  else
    typed = typed .. text
  end
end

function love.keypressed(key)
  if key == "return" and typed ~= "" and not run then
    ask(typed)
    typed = ""
  elseif key == "backspace" then
    -- Not half of a character.
    typed = typed:gsub("[^\128-\191][\128-\191]*$", "")
  elseif key == "escape" and run then
    run:cancel(0)
  end
end

function love.quit() client:close() end

-- For whoever draws something else.
return { state = function() return { typed = typed, answer = answer, notice = notice, is_busy = run ~= nil } end }
