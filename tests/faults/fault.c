#include "fault.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fault_control idle;
static struct fault_control *control = &idle;

struct fault_control *fault_control(void)
{
    return control;
}

void *fault_next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) {
        fprintf(stderr, "faults: there is no %s\n", name);
        _exit(EXIT_FAILURE);
    }
    return found;
}

/* A test that named a file relies on it. */
__attribute__((constructor)) static void fault_begin(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *mapped;

    if (path == NULL)
        return;
    mapped = file < 0 ? MAP_FAILED
                      : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        perror(path);
        _exit(EXIT_FAILURE);
    }
    close(file);
    control = mapped;
}
