/*
 * An install: from a callback whose parameters were accepted to tokens that are stored and a
 * browser that is sent on. Once the code is spent it goes on without its client.
 */
#ifndef WEBHOOK_INSTALL_H
#define WEBHOOK_INSTALL_H

#include "front.h"
#include "oauth_state.h"

/* Whether one more may begin for whoever asks: each makes us ask Miro, before anybody proved
 * anything. */
bool installs_admit(struct front *front, struct http_request *request)
    __attribute__((warn_unused_result));
/* Takes `code`. `state` is what verified, or NULL for an install that Miro itself began. */
void install_begin(struct front *front, struct http_request *request,
                   const struct settings_miro *app, char *code, const struct oauth_state *state);
/* Answers those that still pause, once the database and the client to Miro are gone. */
void installs_stop(struct front *front);
/* The address that Miro sends people back to. */
void install_redirect_uri(const struct settings *settings, struct buf *out);

#endif
