/* A host that loads a plugin and unloads it, a hundred times, in the middle of a prompt. Linux only.
 * `plugin_host PLUGIN PROMPT` */

#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int count(const char *folder) {
    DIR *all = opendir(folder);
    int found = 0;
    while (all && readdir(all))
        found++;
    if (all)
        closedir(all);
    return found;
}

/* A function of the plugin: ISO C has no way from an object's address to that of a function but this. */
static void find(void *plugin, const char *name, void *function) {
    void *address = dlsym(plugin, name);
    memcpy(function, &address, sizeof address);
}

static int play(const char *path, const char *prompt, int *updates) {
    struct timespec frame = {0, 5000000};
    int (*start)(const char *) = NULL, (*tick)(void) = NULL, frames;
    void (*stop)(void) = NULL;
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    find(plugin, "plugin_start", &start);
    find(plugin, "plugin_tick", &tick);
    find(plugin, "plugin_stop", &stop);
    if (!start || !tick || !stop || start(prompt))
        return 1;
    for (frames = 0; frames < 4; frames++) {
        *updates += tick();
        nanosleep(&frame, NULL);
    }
    stop();
    return dlclose(plugin);
}

static int is_loaded(const char *path) {
    void *plugin = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (plugin)
        dlclose(plugin);
    return plugin != NULL;
}

int main(int words, char **word) {
    int i, updates = 0, threads, files;
    if (words != 3) {
        fprintf(stderr, "usage: plugin_host PLUGIN PROMPT\n");
        return 2;
    }
    threads = count("/proc/self/task");
    files = count("/proc/self/fd");
    for (i = 0; i < 100; i++) {
        if (play(word[1], word[2], &updates))
            return 1;
        if (is_loaded(word[1])) {
            fprintf(stderr, "the plugin stays loaded\n");
            return 1;
        }
    }
    printf("[%d times, %d threads and %d descriptors are left]\n", i, count("/proc/self/task") - threads,
           count("/proc/self/fd") - files);
    return 0;
}
