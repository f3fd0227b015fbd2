// A host that loads a plugin and unloads it, a hundred times, in the middle of a prompt. Linux only.
// `plugin_host PLUGIN PROMPT`

#include <chrono>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <thread>

namespace {

std::ptrdiff_t count(const char *folder) {
    return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

/// A plugin that is loaded, until this is gone.
class Plugin {
  public:
    explicit Plugin(const char *path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
        find("plugin_start", start);
        find("plugin_tick", tick);
        find("plugin_stop", stop);
    }
    explicit operator bool() const { return start && tick && stop; }

    int (*start)(const char *prompt) = nullptr;
    int (*tick)() = nullptr;
    void (*stop)() = nullptr;

  private:
    struct Unload {
        void operator()(void *handle) const { dlclose(handle); }
    };

    template <typename Function>
    void find(const char *name, Function &function) {
        if (void *address = handle_ ? dlsym(handle_.get(), name) : nullptr)
            std::memcpy(&function, &address, sizeof address);
    }

    std::unique_ptr<void, Unload> handle_;
};

bool play(const char *path, const char *prompt) {
    const Plugin plugin(path);
    if (!plugin) {
        if (const char *why = dlerror())
            std::cerr << why << '\n';
        return false;
    }
    if (plugin.start(prompt))
        return false;
    for (int frame = 0; frame < 4; frame++) {
        plugin.tick();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    plugin.stop();
    return true;
}

bool is_loaded(const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (handle)
        dlclose(handle);
    return handle;
}

} // namespace

int main(int count_of_words, char **words) {
    if (count_of_words != 3) {
        std::cerr << "usage: plugin_host PLUGIN PROMPT\n";
        return 2;
    }
    const auto threads = count("/proc/self/task"), files = count("/proc/self/fd");
    int times = 0;
    for (; times < 100; times++) {
        if (!play(words[1], words[2]))
            return 1;
        if (is_loaded(words[1])) {
            std::cerr << "the plugin stays loaded\n";
            return 1;
        }
    }
    std::cout << "[" << times << " times, " << count("/proc/self/task") - threads << " threads and "
              << count("/proc/self/fd") - files << " descriptors are left]\n";
    return 0;
}
