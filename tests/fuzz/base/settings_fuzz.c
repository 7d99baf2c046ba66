/*
 * Any bytes as a configuration file: either settings that keep every promise the checks make, or
 * faults that are told, never both and never neither.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise ends the program, which is how the fuzzer learns of it. */
static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void check(const struct settings *settings)
{
    promise(settings->keyring_path != NULL);
    promise((settings->database.socket == NULL) != (settings->database.hosts == NULL));
    promise(settings->miro_count > 0 && settings->miro_count <= LIMIT_MIRO_APPS);
    promise(settings_miro_by_name(settings, "") != NULL);
    for (size_t i = 0; i < settings->miro_count; i++) {
        const struct settings_miro *miro = &settings->miro[i];
        promise(settings_miro_by_client(settings, miro->client_id) == miro);
        promise(miro->id_token_leeway >= 0 && miro->id_token_leeway <= 180);
    }
    promise(settings->source_count <= LIMIT_SOURCES);
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct settings_source *source = &settings->sources[i];
        promise(settings_source(settings, source->name, strlen(source->name)) == source);
        promise(source->provider < PROVIDER_COUNT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf errors = {0};
    struct settings *settings = settings_parse("x.conf", (const char *)data, size, &errors);
    if (settings != NULL) {
        promise(errors.len == 0);
        check(settings);
    } else {
        promise(errors.len > 0 && errors.data[errors.len - 1] == '\n');
        promise(text_is_utf8(errors.data, errors.len));
    }
    settings_unref(settings);
    buf_free(&errors);
    return 0;
}
