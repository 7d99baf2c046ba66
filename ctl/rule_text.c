#include "rule_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* " name=value", quoted where the value would not stand out by itself. */
static void selector_text(const char *name, const char *value, struct buf *out)
{
    if (value == NULL)
        return;
    buf_printf(out, " %s=", name);
    if (*value != '\0' && strpbrk(value, " \t\":,=\\") == NULL)
        buf_puts(out, value);
    else
        buf_json_string(out, value, strlen(value));
}

/* For qsort. */
static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The keys in their order, whatever order the file has them in. */
static void keys_text(const struct catalogue_rule *rule, struct buf *out)
{
    char **keys = xmemdup(rule->keys, rule->key_count * sizeof(*keys));

    qsort(keys, rule->key_count, sizeof(*keys), compare_texts);
    for (size_t i = 0; i < rule->key_count; i++)
        buf_printf(out, "%s %s", i == 0 ? "" : ",", keys[i]);
    free(keys);
}

void rule_text(const struct catalogue_rule *rule, struct buf *out)
{
    buf_puts(out, rule->source);
    selector_text("product", rule->product, out);
    selector_text("variant", rule->variant, out);
    selector_text("sku", rule->sku, out);
    buf_putc(out, ':');
    if (rule->ignored)
        buf_puts(out, " ignored");
    else if (rule->key_count > 0)
        keys_text(rule, out);
    if (rule->duration_days > 0)
        buf_printf(out, ", %" PRId64 " days", rule->duration_days);
    if (rule->grace_days > 0)
        buf_printf(out, ", %" PRId64 " days grace", rule->grace_days);
    if (rule->checkout_url != NULL)
        buf_printf(out, ", checkout %s", rule->checkout_url);
}

void entitlement_text(const struct catalogue_entitlement *entitlement, struct buf *out)
{
    buf_puts(out, entitlement->key);
    if (entitlement->name != NULL) {
        buf_putc(out, ' ');
        buf_json_string(out, entitlement->name, strlen(entitlement->name));
    }
}
