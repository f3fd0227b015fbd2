// libopencode for C++17: the C library with values that free themselves. Header only; docs/cpp.md shows it in use. The parts
// lie in the folder opencode beside this file.
//
// What can fail gives a Result: look at it before you take the value, or call value(), which throws opencode::Error where
// exceptions are enabled and ends the program where they are not. So one program compiles both ways.
//
// Texts go in as std::string_view and are copied for the call; texts that come out belong to the Reply that gave them.
// Times are milliseconds: 0 waits for nothing, forever has no end.
//
// Every function of opencode.h has its method here. What opencode_operations.h has is Client::call() and Client::start() with the
// name of the operation.

#ifndef OPENCODE_HPP
#define OPENCODE_HPP

#include "opencode.h"

#include "opencode/call.hpp"
#include "opencode/client.hpp"
#include "opencode/json.hpp"
#include "opencode/library.hpp"
#include "opencode/pty.hpp"
#include "opencode/reply.hpp"
#include "opencode/result.hpp"
#include "opencode/run.hpp"
#include "opencode/server.hpp"
#include "opencode/stream.hpp"
#include "opencode/tool.hpp"

#endif // OPENCODE_HPP
