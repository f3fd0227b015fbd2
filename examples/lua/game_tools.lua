-- A tiny text game whose world the agent changes: `lua game_tools.lua [WISH...]`. Each wish goes to the agent, which builds
-- with the functions of this script; the game goes on in its own ticks meanwhile, and is drawn after each change.

local opencode = require "libopencode"

local WIDTH, HEIGHT = 16, 4
local world, player, ticks = {}, { x = 1, y = 1 }, 0

for y = 1, HEIGHT do
  world[y] = {}
  for x = 1, WIDTH do world[y][x] = "." end
end

local function draw()
  for y = 1, HEIGHT do
    local row = {}
    for x = 1, WIDTH do row[x] = x == player.x and y == player.y and "@" or world[y][x] end
    print(table.concat(row))
  end
end

local place = {
  x = { type = "integer", minimum = 1, maximum = WIDTH },
  y = { type = "integer", minimum = 1, maximum = HEIGHT },
}

local client = assert(opencode.client())

client:tool {
  name = "look",
  description = "Shows the world: rows of characters, '.' is free ground, '@' the player",
  handler = function()
    local rows = {}
    for y = 1, HEIGHT do rows[y] = table.concat(world[y]) end
    return { rows = opencode.array(rows), player = player }
  end,
}
client:tool {
  name = "build",
  description = "Puts a character on a place of the world: '#' a wall, 'T' a tree, '~' water, '.' nothing",
  parameters = {
    type = "object",
    properties = { x = place.x, y = place.y, what = { enum = { "#", "T", "~", "." } } },
    required = { "x", "y", "what" },
  },
  handler = function(arguments)
    local x, y = arguments.x, arguments.y
    if x == player.x and y == player.y then return nil, "the player stands there" end
    world[y][x] = arguments.what
    return "built"
  end,
}
client:tool {
  name = "walk",
  description = "Lets the player walk to a place; answers when he is there",
  parameters = { type = "object", properties = place, required = { "x", "y" } },
  handler = function(arguments)
    -- One step a tick: this goes on in later ones.
    while player.x ~= arguments.x or player.y ~= arguments.y do
      local function toward(from, to) return from + (to > from and 1 or to < from and -1 or 0) end
      local x, y = toward(player.x, arguments.x), toward(player.y, arguments.y)
      if world[y][x] == "#" or world[y][x] == "~" then
        return nil, ("something is in the way at %d, %d"):format(x, y)
      end
      player.x, player.y = x, y
      coroutine.yield()
    end
    return "arrived"
  end,
}

-- The host: it shows a frame for its time.
local function show_frame()
  local next_frame = os.clock() + 1 / 60
  while os.clock() < next_frame do end
end

local wish = #arg > 0 and table.concat(arg, " ") or "Build a small house around a tree, and walk to it."
local run = assert(client:run(wish))
while true do
  -- The game's own tick: nothing in it waits.
  ticks = ticks + 1
  local state, updates = run:poll()
  for _, update in ipairs(updates) do
    if update.type == "tool" and update.part.state.status == "completed" then draw() end
  end
  if state == "done" or state == "failed" then break end
  show_frame()
end
local reply, message = run:wait(0)
print(reply and reply.text or message)
client:close()
os.exit(reply and 0 or 1)
