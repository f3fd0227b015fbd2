function love.conf(t)
  t.identity = "opencode-in-love"
  t.window.title = "OpenCode in LÖVE"
end
