function love.conf(t)
  t.identity = "opencode-test"
  t.window = nil
  for _, name in ipairs { "window", "graphics", "audio", "sound", "joystick", "touch", "video", "physics" } do t.modules[name] = false end
end
