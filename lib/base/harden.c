#include "base/harden.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"

/* Either alone would do for a plain kernel.core_pattern; one that pipes to a program ignores the
 * limit, and asks whether the process is dumpable. */
void harden_memory(const char *program)
{
    const struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        log_warn(program, "core_dumps_stay_possible", LOG_I("errno", errno));
}
