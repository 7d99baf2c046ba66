/*
 * Any bytes as a catalogue file: a catalogue that keeps what the rooms behind rely on, or faults
 * that are told, never both and never neither.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalogue_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void check(const struct catalogue *catalogue)
{
    for (size_t i = 0; i + 1 < catalogue->entitlement_count; i++)
        promise(strcmp(catalogue->entitlements[i].key, catalogue->entitlements[i + 1].key) < 0);
    for (size_t i = 0; i < catalogue->rule_count; i++) {
        const struct catalogue_rule *rule = &catalogue->rules[i];

        promise(rule->source != NULL && (rule->product || rule->variant || rule->sku));
        promise(rule->ignored == (rule->key_count == 0));
        promise(rule->duration_days >= 0 && rule->duration_days <= 36500);
        promise(rule->grace_days >= 0 && rule->grace_days <= 3650);
        for (size_t k = 0; k < rule->key_count; k++)
            promise(catalogue_has_key(catalogue, rule->keys[k]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char names[2][5] = {"main", "shop"};
    static struct settings_source sources[] = {{.name = names[0], .provider = PROVIDER_WOOCOMMERCE},
                                               {.name = names[1], .provider = PROVIDER_STRIPE}};
    static const struct settings settings = {.sources = sources, .source_count = 2};
    struct buf errors = {0};
    char *text = xcalloc(1, size + 1); /* a NUL stands behind what is read from a file, too */
    struct catalogue *catalogue;

    if (size > 0)
        memcpy(text, data, size);
    catalogue = catalogue_read("c.json", text, size, &settings, &errors);

    promise((catalogue != NULL) == (errors.len == 0));
    if (catalogue != NULL)
        check(catalogue);
    else
        promise(errors.data[errors.len - 1] == '\n' && text_is_utf8(errors.data, errors.len));
    catalogue_free(catalogue);
    buf_free(&errors);
    free(text);
    return 0;
}
