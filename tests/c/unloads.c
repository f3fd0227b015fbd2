/* A plugin in C++ is loaded, used and unloaded, a hundred times, on this thread and on others: it is gone each time, and leaves no
 * thread, no descriptor and no memory that is mapped. Linux only. `unloads PLUGIN`. Prints a line per test. */

#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 100, WARM = 20 };

static const char *path;

static int entries(const char *folder) {
    DIR *all = opendir(folder);
    int found = 0;
    while (all && readdir(all))
        found++;
    if (all)
        closedir(all);
    return found;
}

/* How many pieces of the address space are those of a library. */
static int mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[1000];
    int found = 0;
    while (maps && fgets(line, sizeof line, maps))
        found += strstr(line, ".so") != NULL;
    if (maps)
        fclose(maps);
    return found;
}

static int is_loaded(const char *name) {
    void *library = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
    if (library)
        dlclose(library);
    return library != NULL;
}

static void *play(void *round) {
    const char *(*work)(int, const char *) = NULL;
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL), *address;
    const char *wrong;
    if (!plugin) {
        printf("%s\n", dlerror());
        return "it was not loaded";
    }
    address = dlsym(plugin, "plugin_play");
    memcpy(&work, &address, sizeof address);
    wrong = work(*(int *)round, getenv("OPENCODE_SWIFT_URL"));
    if (wrong) {
        printf("round %d: %s\n", *(int *)round, wrong);
        return "it failed";
    }
    return dlclose(plugin) ? "it was not unloaded" : NULL;
}

/* On this thread, or on one that ends. */
static const char *play_somewhere(int round) {
    pthread_t thread;
    void *wrong = NULL;
    if (round % 2)
        return play(&round);
    if (pthread_create(&thread, NULL, play, &round) || pthread_join(thread, &wrong))
        return "there is no thread";
    return wrong;
}

/* The system counts a thread for a moment longer than its end is told. */
static int has_threads(int wanted) {
    const struct timespec moment = {0, 1000000};
    int left;
    for (left = 1000; left > 0 && entries("/proc/self/task") != wanted; left--)
        nanosleep(&moment, NULL);
    return left > 0;
}

/* What the library has told the system to call is forgotten with it. */
static int a_copy_ends(void) {
    int status = 1;
    pid_t copy = fork();
    if (copy == 0)
        exit(0);
    return copy > 0 && waitpid(copy, &status, 0) == copy && status == 0;
}

int main(int words, char **word) {
    int round, threads, files, mapped = 0;
    if (words != 2)
        return 2;
    path = word[1];
    threads = entries("/proc/self/task");
    files = entries("/proc/self/fd");
    for (round = 0; round < ROUNDS; round++) {
        const char *wrong = play_somewhere(round);
        if (round == WARM)
            mapped = mappings();
        if (!wrong && is_loaded(path))
            wrong = "it stays loaded";
        if (!wrong && !has_threads(threads))
            wrong = "a thread is left";
        if (!wrong && entries("/proc/self/fd") != files)
            wrong = "a descriptor is left";
        if (!wrong && !a_copy_ends())
            wrong = "a copy of the process does not end";
        if (wrong) {
            printf("FAILED round %d: %s\n", round, wrong);
            return 1;
        }
    }
    if (mappings() > mapped) {
        printf("FAILED: %d pieces of libraries are mapped, and %d were after %d rounds\n", mappings(), mapped, WARM);
        return 1;
    }
    printf("a_plugin_is_unloaded_%d_times\n1 passed, 0 failed\n", round);
    return 0;
}
