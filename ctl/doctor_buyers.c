/*
 * doctor, what leads buyers in: where each product is bought, and whether codes can be mailed.
 */
#include <string.h>

#include "doctor.h"

#define PRODUCTS_SHOWN 20

/* What of the rules that grant something is told. */
enum checkout_lack { LACKS_URL, LACKS_REFERENCE };

static bool rule_lacks(const struct catalogue_rule *rule, enum checkout_lack lack)
{
    if (rule->ignored)
        return false;
    if (lack == LACKS_URL)
        return rule->checkout_url == NULL;
    return rule->checkout_url != NULL && strstr(rule->checkout_url, "{reference}") == NULL;
}

static const char *rule_product(const struct catalogue_rule *rule)
{
    if (rule->product != NULL)
        return rule->product;
    return rule->variant != NULL ? rule->variant : rule->sku;
}

/* "main-store 10, stripe price_1 and 3 more" */
static size_t products_list(const struct catalogue *catalogue, enum checkout_lack lack,
                            struct buf *out)
{
    size_t count = 0;

    for (size_t i = 0; i < catalogue->rule_count; i++) {
        const struct catalogue_rule *rule = &catalogue->rules[i];

        if (!rule_lacks(rule, lack))
            continue;
        if (count < PRODUCTS_SHOWN)
            buf_printf(out, "%s%s %s", count == 0 ? "" : ", ", rule->source, rule_product(rule));
        count++;
    }
    if (count > PRODUCTS_SHOWN)
        buf_printf(out, " and %zu more", count - PRODUCTS_SHOWN);
    return count;
}

/* A shop that sells inside the plugin nowhere is well; one that does so for some of its products
 * has forgotten the others. */
static void checkout_note(struct doctor *doctor, const struct catalogue *catalogue)
{
    struct buf bare = {0}, deaf = {0};
    size_t without = products_list(catalogue, LACKS_URL, &bare);
    size_t granting = 0;

    for (size_t i = 0; i < catalogue->rule_count; i++)
        granting += !catalogue->rules[i].ignored;
    if (without > 0)
        doctor_note(doctor, without < granting ? FINDING_WARN : FINDING_OK, "checkout",
                    without < granting ? "give their rules one; docs/checkout.md has a recipe for"
                                         " each kind of shop"
                                       : NULL,
                    "no checkout_url, so the plugin cannot offer to buy them: %s", bare.data);
    else if (granting > 0)
        doctor_note(doctor, FINDING_OK, "checkout", NULL, "every product has a checkout_url");
    if (products_list(catalogue, LACKS_REFERENCE, &deaf) > 0)
        doctor_note(doctor, FINDING_WARN, "checkout",
                    "put {reference} into them: without it an order is found by its address alone",
                    "a checkout_url without {reference}: %s", deaf.data);
    buf_free(&bare);
    buf_free(&deaf);
}

static void mail_note(struct doctor *doctor)
{
    const struct settings_mail *mail = &doctor->ctl->settings->mail;

    if (mail->smtp_url == NULL)
        doctor_note(doctor, FINDING_OK, "mail", NULL,
                    "no [mail] section: nobody can claim an address by a mailed code");
    else
        doctor_note(doctor, FINDING_OK, "mail", NULL, "codes are mailed by %s, from %s",
                    mail->smtp_url, mail->from);
}

void doctor_buyers(struct doctor *doctor, const struct catalogue *catalogue)
{
    checkout_note(doctor, catalogue);
    mail_note(doctor);
}
