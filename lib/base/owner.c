#include "base/owner.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"

static pthread_once_t made = PTHREAD_ONCE_INIT;
static char name[OWNER_NAME];

static void name_make(void)
{
    char host[256] = "", space[64] = "";
    unsigned char digest[DIGEST_LEN];
    struct buf whole = {0};
    uint32_t random;

    digest_random(&random, sizeof(random));
    if (gethostname(host, sizeof(host) - 1) != 0)
        snprintf(host, sizeof(host), "host-%08x", random);
    if (readlink("/proc/self/ns/pid", space, sizeof(space) - 1) < 0)
        snprintf(space, sizeof(space), "%08x", random);
    buf_printf(&whole, "%s|%s", host, space);
    digest_sha256(whole.data, whole.len, digest);
    buf_free(&whole);
    host[strcspn(host, ":")] = '\0';
    snprintf(name, sizeof(name), "%.16s-%02x%02x%02x%02x:%ld:%08x", host, digest[0], digest[1],
             digest[2], digest[3], (long)getpid(), random);
}

const char *owner_name(void)
{
    pthread_once(&made, name_make);
    return name;
}
