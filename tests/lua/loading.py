"""What a host says that cannot load the module, and what docs/lua.md says to that: `loading.py FOLDER_OF_ALL_MODULES`."""

import ctypes
import os
import pathlib
import subprocess
import sys

MODULES = pathlib.Path(sys.argv[1])
PAGE = (pathlib.Path(__file__).parents[2] / "docs/lua.md").read_text()
OWN = {"lua5.1": "lua51", "luajit": "lua51", "lua5.2": "lua52", "lua5.3": "lua53", "lua5.4": "lua54"}
VERSION = 'return require "libopencode".version'


def test_a_module_for_another_lua_says_what_the_page_explains():
    seen = 0
    for host, own in OWN.items():
        for flavour in sorted({*OWN.values(), "lua55"} - {own}):
            library = MODULES / flavour / "libopencode.so"
            if not library.exists():
                continue
            environment = {**os.environ, "LUA_CPATH": str(library.with_name("?.so"))}
            program = [host, "-e", 'print(pcall(require, "libopencode"))']
            done = subprocess.run(program, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, (host, flavour, done)
            explained = ["undefined symbol: lua", "version mismatch", "incompatible numeric types"]
            assert done.stdout.startswith("false"), (host, flavour, done.stdout)
            assert any(text in done.stdout and text in PAGE for text in explained), (host, flavour, done.stdout)
            seen += 1
    assert seen > 0


class PrivateLua:
    """A host that loads its Lua so that nobody else sees it."""

    LIBRARY = "libluajit-5.1.so.2"

    def __init__(self):
        self.lua = ctypes.CDLL(self.LIBRARY, mode=os.RTLD_LOCAL | os.RTLD_NOW)
        self.lua.luaL_newstate.restype = ctypes.c_void_p
        self.lua.lua_tolstring.restype = ctypes.c_char_p
        self.state = ctypes.c_void_p(self.lua.luaL_newstate())
        self.lua.luaL_openlibs(self.state)

    def run(self, code):
        failed = self.lua.luaL_loadstring(self.state, code.encode()) or self.lua.lua_pcall(self.state, 0, 1, 0)
        return not failed, self.lua.lua_tolstring(self.state, -1, None).decode()


def test_a_host_that_hides_its_lua_is_helped_by_the_line_of_the_page():
    os.environ["LUA_CPATH"] = str(MODULES / "lua51/?.so")
    host = PrivateLua()
    is_ok, text = host.run(VERSION)
    assert not is_ok and "undefined symbol: lua_" in text, text
    line = next(line for line in PAGE.splitlines() if line.startswith("package.loadlib("))
    is_ok, text = host.run(line.replace("liblua5.2.so.0", host.LIBRARY) + "\n" + VERSION)
    assert is_ok, text


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
