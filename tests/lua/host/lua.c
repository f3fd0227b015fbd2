/* An interpreter as small as can be: a script and its arguments, in `arg`. For versions of Lua that no system brings. */

#include <stdio.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static int explain(lua_State *state) {
    luaL_traceback(state, state, luaL_tolstring(state, 1, NULL), 1);
    return 1;
}

int main(int count, char **arguments) {
    lua_State *state = luaL_newstate();
    int at, status;
    if (state == NULL || count < 2) {
        fprintf(stderr, "usage: %s SCRIPT ARGUMENT...\n", arguments[0]);
        return EXIT_FAILURE;
    }
    luaL_openlibs(state);
    lua_createtable(state, count, 2);
    for (at = 0; at < count; at++) {
        lua_pushstring(state, arguments[at]);
        lua_rawseti(state, -2, at - 1);
    }
    lua_setglobal(state, "arg");
    lua_pushcfunction(state, explain);
    status = luaL_loadfile(state, arguments[1]);
    if (status == LUA_OK) status = lua_pcall(state, 0, 0, 1);
    if (status != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(state, -1));
    lua_close(state);
    return status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
