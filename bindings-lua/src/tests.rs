//! What needs an interpreter: one of our own, in which the module is opened as a host opens it.

#![allow(clippy::disallowed_methods)]

use crate::bridge::{Arguments, Done, Function, Misuse, Results};
use crate::shapes;
use mlua::{FromLua, Lua, Table, Value};

/// Functions that only tests have.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("test_encode", encode),
    Function::shaped("test_encode_run", encode, |_, _| &shapes::RUN),
    Function::shaped("test_encode_call", encode, |given, at| match (at, given.text(1)) {
        (0, _) => &crate::shape::Shape::Any,
        (_, Ok(operation)) => shapes::arguments(operation),
        _ => &crate::shape::Shape::Any,
    }),
    Function::new("test_decode", decode),
    Function::new("test_panic", |_, _| panic!("for a test")),
];

fn encode(given: &Arguments, results: &mut Results) -> Done {
    let last = if given.is_nil(2) { 0 } else { 2 };
    match given.json(last) {
        Ok(json) => results.text(json),
        Err(why) => return Err(Misuse::new(why)),
    }
    Ok(())
}

fn decode(given: &Arguments, results: &mut Results) -> Done {
    results.outcome(Ok(()), |results, ()| results.json(given.text(0).unwrap_or_default()));
    Ok(())
}

/// An interpreter with the raw functions as globals, and the module as `opencode`.
fn lua() -> Lua {
    // SAFETY: all libraries, and the functions that the module consists of.
    let lua = unsafe { Lua::unsafe_new() };
    // SAFETY: it is the function that hosts call.
    let make = unsafe { lua.create_c_function(crate::luaopen_libopencode) }.unwrap();
    let module: Table = make.call(()).unwrap();
    lua.globals().set("opencode", module).unwrap();
    // The prelude keeps the raw functions to itself.
    let raw: Table = lua
        .load(
            "local up = opencode.client
             for i = 1, 20 do
               local name, value = debug.getupvalue(up, i)
               if name == 'raw' then return value end
             end",
        )
        .eval()
        .unwrap();
    lua.globals().set("raw", raw).unwrap();
    lua.globals().set("null", Value::NULL).unwrap();
    lua
}

fn eval<T: FromLua>(code: &str) -> mlua::Result<T> {
    lua().load(code).eval()
}

fn encoded(expression: &str) -> Result<String, String> {
    eval(&format!("return raw.test_encode({expression})")).map_err(|e| e.to_string())
}

fn decoded(json: &str, expression: &str) -> String {
    let lua = lua();
    lua.globals().set("json", json).unwrap();
    lua.load(format!("local _, v = raw.test_decode(json) return tostring({expression})"))
        .eval()
        .unwrap()
}

#[test]
fn values_become_json() {
    assert_eq!(encoded("{1, 2.5, 'x', true, null}").unwrap(), r#"[1,2.5,"x",true,null]"#);
    assert_eq!(encoded("{a = {b = {}}}").unwrap(), r#"{"a":{"b":{}}}"#);
    assert_eq!(encoded("opencode.array {}").unwrap(), "[]");
    assert_eq!(encoded("{'\\1\"\\\\\\n\u{e4}'}").unwrap(), "[\"\\u0001\\\"\\\\\\nä\"]");
    assert_eq!(encoded("{1e300, 3.0}").unwrap(), "[1e300,3]");
    assert_eq!(encoded("{{{1}, {2}}, {a = {3}}}").unwrap(), r#"[[[1],[2]],{"a":[3]}]"#);
}

#[test]
fn what_has_no_meaning_is_refused_with_its_place() {
    for (expression, place) in [
        ("{a = {1, 2, x = 3}}", "a: a table that is a list"),
        ("{1, 2, nil, 4}", "holes"),
        ("{a = {b = print}}", "a.b: a function"),
        ("{0/0}", "[1]: a number that is not finite"),
        ("{a = '\\255'}", "a: text that is not UTF-8"),
        ("{[1.5] = 1}", "keys"),
        ("{a = {{}, {[true] = 1}}}", "a[2]: a table with keys"),
        ("(function() local t = {} t.t = t return t end)()", "t: a table that contains itself"),
        ("(function() local t = {} t[1] = {a = t} return t end)()", "[1].a: a table that contains"),
        ("{a = raw.client}", ""),
    ] {
        match encoded(expression) {
            Err(error) => assert!(error.contains(place), "{expression}: {error}"),
            Ok(json) => assert!(place.is_empty(), "{expression}: {json}"),
        }
    }
}

#[test]
fn what_came_goes_back_unchanged() {
    let lua = lua();
    for json in [r#"{"a":[],"b":{},"c":[1,[2,[]]]}"#, "[]", "[[null]]", r#"["\u00e4\"\\"]"#] {
        lua.globals().set("json", json).unwrap();
        let code = "local _, v = raw.test_decode(json) return raw.test_encode(v)";
        let back: String = lua.load(code).eval().unwrap();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&back), read(json));
    }
}

#[test]
fn values_keep_their_types() {
    assert_eq!(decoded("[1,2.5,\"x\",true]", "v[1] + v[2]"), "3.5");
    assert_eq!(decoded("{\"a\":{\"b\":[]}}", "#v.a.b"), "0");
    assert_eq!(decoded("\"\\u00e4\\u0000b\"", "#v"), "4");
    assert_eq!(decoded("1795217121941", "v"), "1795217121941");
    assert_eq!(
        decoded(" { \"a\" : [ 1 , { \"b\" : 2 } , [ ] ] , \"c\" : 3 } ", "v.a[2].b + v.c"),
        "5"
    );
    assert_eq!(decoded("[-0.5e1,0,false,{}]", "v[1]"), "-5.0");
}

#[test]
fn null_is_no_field_and_keeps_its_place_in_a_list() {
    assert_eq!(decoded("{\"a\":null,\"b\":1}", "v.a == nil and v.b == 1"), "true");
    assert_eq!(
        decoded("{\"b\":[{\"a\":null}],\"a\":null}", "next(v.b[1]) == nil and #v.b == 1"),
        "true"
    );
    assert_eq!(decoded("[null,1]", "v[1] == null and #v == 2"), "true");
}

#[test]
fn digits_are_never_lost_silently() {
    assert_eq!(decoded("18446744073709551615", "v"), "18446744073709551615");
    assert_eq!(decoded("9007199254740993", "v"), "9007199254740993");
}

#[test]
fn what_is_no_json_is_an_error() {
    for json in [
        "",
        "{",
        "[1,]",
        "{}x",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "[1 2]",
        "\"",
        "\"\n\"",
        "01",
        "1.",
        "-",
        "tru",
        "[}",
        "\"\\x\"",
        "{\"a\":1,}",
        ",",
        "[",
        "1e999",
    ] {
        let text = format!("raw.test_decode({})", serde_json::Value::from(json));
        let (is_ok, _, message): (bool, bool, String) = lua().load(text).eval().unwrap();
        assert!(!is_ok && message.starts_with("decode: "), "{json}: {message}");
        let strict = serde_json::from_str::<serde_json::Value>(json);
        assert!(strict.is_err(), "{json}");
    }
}

/// Whatever is read is read as by the reader that everybody uses.
#[test]
fn documents_are_read_like_everywhere_else() {
    let json = r#"[{"a":[1,-2,3.25,1e3,"x\ty","\ud83d\ude00"],"b":{"c":{},"d":[[],[[]]]}},"end",true,false]"#;
    let lua = lua();
    lua.globals().set("json", json).unwrap();
    let code = "local _, v = raw.test_decode(json) return raw.test_encode(v)";
    let back: String = lua.load(code).eval().unwrap();
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(read(&back), read(&json.replace("1e3", "1000")));
}

#[test]
fn depth_needs_no_stack() {
    // The smallest stack that hosts give their threads.
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let work = small.spawn(|| {
        let lua = lua();
        let code = "
            local deep = ('[{\"a\":'):rep(500) .. '1' .. ('}]'):rep(500)
            local is_ok, v = raw.test_decode(deep)
            assert(is_ok and raw.test_encode(v) == deep)
            local depth = 0
            while type(v) == 'table' do v, depth = v[1] or v.a, depth + 1 end
            assert(v == 1 and depth == 1000)
            local deeper = '[' .. deep .. ']'
            local is_ok, is_misuse, message, err = raw.test_decode(deeper)
            assert(not is_ok and not is_misuse and err.kind == 'decode', message)
            assert(message:find '1000 levels', message)
            local t = 1
            for _ = 1, 1000 do t = { t } end
            assert(#raw.test_encode(t) == 2001)
            local is_ok, message = pcall(raw.test_encode, { t })
            assert(not is_ok and message:find 'deeper than 1000 levels' and #message < 300, message)";
        lua.load(code).exec().map_err(|e| e.to_string())
    });
    work.unwrap().join().unwrap().unwrap();
}

#[test]
fn an_empty_table_is_a_list_where_a_list_is_wanted() {
    let of_run =
        |table: &str| -> String { eval(&format!("return raw.test_encode_run({table})")).unwrap() };
    assert_eq!(of_run("{files = {}}"), r#"{"files":[]}"#);
    assert_eq!(
        of_run("{format = {properties = {a = {required = {}}}}}"),
        r#"{"format":{"properties":{"a":{"required":[]}}}}"#
    );
    assert_eq!(of_run("{tools = {}}"), r#"{"tools":{}}"#);
    let of_call = |operation: &str, table: &str| -> String {
        eval(&format!("return raw.test_encode_call(nil, '{operation}', {table})")).unwrap()
    };
    assert_eq!(of_call("session.prompt", "{parts = {}}"), r#"{"parts":[]}"#);
    assert_eq!(
        of_call("config.update", "{experimental = {primary_tools = {}}}"),
        r#"{"experimental":{"primary_tools":[]}}"#
    );
    assert_eq!(
        of_call("mcp.add", "{config = {command = {}, environment = {}}}").len(),
        r#"{"config":{"command":[],"environment":{}}}"#.len()
    );
    assert_eq!(of_call("question.reply", "{answers = {{}, {'a'}}}"), r#"{"answers":[[],["a"]]}"#);
}

/// The annotations say of every option what it is: those that are lists are lists here.
#[test]
fn every_option_that_is_a_list_is_known() {
    let mut seen = 0;
    for (text, class, shape) in [
        (include_str!("../meta/libopencode.lua"), "ClientOptions", &shapes::CLIENT),
        (include_str!("../meta/libopencode_run.lua"), "RunOptions", &shapes::RUN),
        (include_str!("../meta/libopencode_streams.lua"), "EventOptions", &shapes::EVENTS),
        (include_str!("../meta/libopencode_pty.lua"), "PtyOptions", &shapes::PTY),
        (include_str!("../meta/libopencode_pty.lua"), "PtyConnectOptions", &shapes::PTY),
        (include_str!("../meta/libopencode_server.lua"), "ServerOptions", &shapes::SERVER),
        (include_str!("../meta/libopencode_tools.lua"), "ReadyOptions", &shapes::READY),
    ] {
        let head = format!("---@class opencode.{class} ");
        let fields = text.lines().skip_while(|line| !line.starts_with(&head)).skip(1);
        for line in fields.take_while(|line| line.starts_with("---@field ")) {
            let mut words = line.trim_start_matches("---@field ").split(' ');
            let name = words.next().unwrap_or_default().trim_end_matches('?');
            let kind = words.next().unwrap_or_default();
            let is_list = kind.contains("[]") || kind == "opencode.PermissionPolicy";
            assert_eq!(shape.field(name).is_list(), is_list, "{class}.{name}: {kind}");
            seen += usize::from(is_list);
        }
    }
    assert!(seen >= 5, "{seen}");
    // The other nouns of these files take no lists.
    for text in [
        include_str!("../meta/libopencode_streams.lua"),
        include_str!("../meta/libopencode_tools.lua"),
    ] {
        let options = text
            .split("---@class opencode.")
            .filter(|class| class.split(' ').next().is_some_and(|name| name.ends_with("Options")))
            .filter(|class| {
                !class.starts_with("EventOptions ") && !class.starts_with("ReadyOptions ")
            });
        for class in options {
            let fields = class.lines().skip(1).take_while(|line| line.starts_with("---@field "));
            for line in fields {
                assert!(!line.contains("[]"), "{line}");
            }
        }
    }
}

#[test]
fn the_hosts_own_value_comes_out_of_a_hook() {
    let code = "
        local STOP, seen = setmetatable({}, { __tostring = function() return 'STOP' end }), 0
        local deep = '[{\"a\":[1,2,\"x\"]}]'
        for i = 1, 60 do
            local ok, e = pcall(function()
                local calls = 0
                debug.sethook(function()
                    calls = calls + 1
                    if calls == i then debug.sethook() error(STOP) end
                end, 'c')
                for _ = 1, 30 do raw.test_decode(deep) raw.test_encode {1} end
                debug.sethook()
            end)
            debug.sethook()
            if not ok then assert(e == STOP, tostring(e)) seen = seen + 1 end
        end
        assert(seen > 50, seen)";
    lua().load(code).exec().unwrap();
}

#[test]
fn a_panic_is_an_error_of_one_line() {
    let lua = lua();
    let message: String = lua.load("return select(2, pcall(raw.test_panic))").eval().unwrap();
    assert!(message.contains("internal: a bug of this library"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn foreign_and_wrong_handles_are_refused() {
    let code = "
        local client = raw.client_new { base_url = 'http://127.0.0.1:9' }
        local _, made = raw.client_new { base_url = 'http://127.0.0.1:9' }
        local _, control = raw.tui_control(made)
        for _, wrong in ipairs { 1, 'x', {}, io.stdout, control, print } do
            local is_ok, message = pcall(raw.client_url, wrong)
            assert(not is_ok and message:find 'this is no client', tostring(message))
        end
        assert(not pcall(raw.client_url))
        assert(getmetatable(made) == false)
        debug.getmetatable(made).__gc(io.stdout)
        debug.getmetatable(made).__gc(made)
        debug.getmetatable(made).__gc(made)
        local is_ok, message = pcall(raw.client_url, made)
        assert(not is_ok and message:find 'collected', tostring(message))";
    lua().load(code).exec().unwrap();
}

#[test]
fn every_annotation_says_whether_the_function_blocks() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("meta");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let mut words = String::new();
        for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            if let Some(comment) = line.strip_prefix("---") {
                words.push_str(comment);
                words.push(' ');
                continue;
            }
            if line.starts_with("function ") {
                count += 1;
                let says = ["locks", "eturns at once"].iter().any(|word| words.contains(word));
                assert!(says, "{line}: {words}");
            }
            words.clear();
        }
    }
    assert!(count > 60, "{count}");
}
