#include "keyring_proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define CONTEXT SPAN_TEXT("spool.keyring")
#define PROOF_ROOM 512 /* an envelope of nothing is a tenth of that */

static char *proof_path(const struct settings *settings)
{
    return xasprintf("%s/spool.keyring", settings->server.state_dir);
}

/* What is there, or nothing. */
static struct span proof_read(const struct settings *settings, char room[PROOF_ROOM])
{
    char *path = proof_path(settings);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = -1;

    if (fd >= 0) {
        len = read(fd, room, PROOF_ROOM);
        close(fd);
    }
    free(path);
    return (struct span){room, len > 0 ? (size_t)len : 0};
}

static bool proof_opens(const struct vault *vault, struct span proof)
{
    struct buf nothing = {0};
    bool opens = vault_open(vault, VAULT_SPOOL, CONTEXT, proof, &nothing) == 0;
    buf_free(&nothing);
    return opens;
}

int keyring_proof_check(const struct settings *settings, struct buf *why)
{
    char room[PROOF_ROOM];
    struct span proof = proof_read(settings, room);
    struct vault *vault = vault_new(&settings->keyring_lines, why);
    int result = vault && (proof.len == 0 || proof_opens(vault, proof)) ? 0 : -1;

    if (vault && result != 0)
        buf_printf(why,
                   "the keyring does not open what this host sealed before, and the database is "
                   "away: %s is not the one that was used here; restore that keyring, or wait for "
                   "the database",
                   settings->keyring_path);
    vault_free(vault);
    return result;
}

/* Under another name first: a power cut leaves the old one or the new one. */
static int proof_replace(const struct settings *settings, const struct buf *proof)
{
    char *path = proof_path(settings), *draft = xasprintf("%s-XXXXXX", path);
    int fd = mkostemp(draft, O_CLOEXEC), result = -1;

    if (fd >= 0) {
        if (write(fd, proof->data, proof->len) == (ssize_t)proof->len && fsync(fd) == 0 &&
            rename(draft, path) == 0)
            result = 0;
        else
            unlink(draft);
        close(fd);
    }
    free(draft);
    free(path);
    return result;
}

void keyring_proof_write(const struct settings *settings, const struct vault *vault)
{
    char room[PROOF_ROOM];
    struct span proof = proof_read(settings, room);
    char *kid = vault_envelope_kid(proof);
    struct buf fresh = {0};

    if (!kid || strcmp(kid, vault_active_kid(vault)) != 0 || !proof_opens(vault, proof)) {
        vault_seal(vault, VAULT_SPOOL, CONTEXT, (struct span){"", 0}, &fresh);
        if (proof_replace(settings, &fresh) != 0)
            log_warn("spool", "keyring_not_noted", LOG_S("why", strerror(errno)));
    }
    free(kid);
    buf_free(&fresh);
}
