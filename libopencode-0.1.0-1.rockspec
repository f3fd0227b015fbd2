-- `luarocks make` in this folder builds the module for the Lua of LuaRocks; it needs cargo (https://rustup.rs).
rockspec_format = "3.0"
package = "libopencode"
version = "0.1.0-1"
source = {
  url = "git+https://github.com/libopencode/libopencode.git",
  tag = "v0.1.0",
}
description = {
  summary = "Drives an OpenCode server without ever freezing the host",
  detailed = [[
Prompts that are polled from a tick or waited for, all operations of the server, events, terminals. One shared library
that needs nothing but glibc; for Lua 5.1 to 5.5 and LuaJIT.]],
  homepage = "https://github.com/libopencode/libopencode",
  license = "MIT",
  labels = { "ai", "http" },
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.1, < 5.6" }
build = {
  type = "command",
  build_command = "sh bindings-lua/rock.sh '$(LUA)'",
  install = { lib = { libopencode = "target/rock/libopencode.so" } },
  -- The annotations, for language servers: `luarocks show --rock-dir libopencode` says where they are.
  copy_directories = { "bindings-lua/meta" },
}
