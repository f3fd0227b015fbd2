// A plugin that asks an agent: what plugin_host.cpp loads and unloads, and the one of C too. It is built as a shared library that
// shows nothing but the three functions below (plugin.map): one that shows all it has may stay loaded.

#include <opencode.hpp>

#include <memory>
#include <utility>

// What the host finds by name.
extern "C" {
int plugin_start(const char *prompt);
int plugin_tick();
void plugin_stop();
}

namespace {

struct Plugin {
    opencode::Client client;
    opencode::Run run;
};

/// Emptied in plugin_stop(): a destructor of a static object runs inside dlclose(), where no thread can end.
std::unique_ptr<Plugin> plugin;

} // namespace

/// 0 when the agent works.
int plugin_start(const char *prompt) {
    auto client = opencode::Client::make();
    if (!client)
        return 1;
    auto run = client->run(prompt);
    if (!run)
        return 1;
    plugin.reset(new Plugin{std::move(*client), std::move(*run)});
    return 0;
}

/// Never waits; gives how many updates came.
int plugin_tick() {
    int count = 0;
    while (plugin->run.next())
        count++;
    return count;
}

/// After this no thread of the library is left, and the plugin may be unloaded.
void plugin_stop() {
    // Prompts that were not sent yet are lost, and this host does not mind.
    static_cast<void>(plugin->client.close());
    plugin.reset();
}
