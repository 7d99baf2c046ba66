/*
 * The verbs, one function each; main.c's table says how they are called.
 */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "ctl.h"

typedef enum exit_code verb_run(struct ctl *ctl);

verb_run migrate_run, doctor_run;
verb_run catalog_apply_run, catalog_show_run, catalog_rollback_run;
verb_run user_show_run, order_show_run, order_refresh_run, order_assign_run, order_unassign_run,
    explain_run;
verb_run deliveries_list_run, deliveries_show_run, deliveries_replay_run;
verb_run rebuild_run;
verb_run grant_run, revoke_run, link_run, unlink_run;
verb_run import_orders_run, import_links_run, import_grants_run;
verb_run trigger_run;
verb_run keys_run, keys_new_run, keys_promote_run, keys_rewrap_run, keys_start_over_run;
verb_run transfer_run;

#endif
