/*
 * A store of one `standard` shop named "shop", in the server that the harness started.
 */
#ifndef INTEGRATION_TEST_STORE_H
#define INTEGRATION_TEST_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/settings.h"
#include "db/migrate.h"
#include "entitlement/catalogue.h"
#include "store/keys.h"
#include "store/source.h"
#include "vault/vault.h"

#define TEST_STORE_SETTINGS                                                                 \
    "[database]\nsocket = /run/db.sock\n[keys]\nkeyring_file = keyring\n[miro]\n"           \
    "client_id = 1\nclient_secret_file = miro.secret\n[source shop]\nprovider = standard\n" \
    "webhook_secret_file = shop.secret\n"
#define TEST_STORE_KEY "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static inline struct vault *test_vault(void)
{
    struct secret_list lines = {.count = 1};
    struct buf error = {0};
    struct vault *vault;
    lines.items[0] =
        (struct secret){(unsigned char *)xstrdup(TEST_STORE_KEY), strlen(TEST_STORE_KEY)};
    vault = vault_new(&lines, &error);
    assert_non_null(vault);
    secret_list_free(&lines);
    return vault;
}

/* Its product 10 grants the key. */
static inline struct catalogue *test_catalogue(const char *key)
{
    struct catalogue *catalogue = catalogue_new(1);
    struct catalogue_rule *rule;
    catalogue_add_entitlement(catalogue, key, NULL);
    rule = catalogue_add_rule(catalogue, "shop");
    rule->product = xstrdup("10");
    catalogue_rule_add_key(rule, key);
    catalogue_seal(catalogue);
    return catalogue;
}

/* Migrated, with its keys; all three are the caller's. */
static inline void test_store_open(const struct db_target *target, struct db **db,
                                   struct vault **vault, struct source_map **sources)
{
    struct buf errors = {0};
    struct settings *settings =
        settings_parse("x.conf", TEST_STORE_SETTINGS, strlen(TEST_STORE_SETTINGS), &errors);
    enum keys_fit fit;
    assert_non_null(settings);
    *db = db_new(target);
    *vault = test_vault();
    assert_int_equal(migrate_apply(*db, NULL, NULL, &errors), DB_OK);
    assert_int_equal(keys_ensure(*db, *vault, &fit, NULL), DB_OK);
    assert_int_equal(fit, KEYS_LOADED);
    assert_int_equal(source_map_load(*db, settings, sources), DB_OK);
    settings_unref(settings);
}

#endif
