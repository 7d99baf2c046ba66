/*
 * News: a number that grows whenever something happened in the stand-ins, and the requests that
 * wait for it to grow, so that the page needs no polling.
 */
#ifndef SANDBOX_NEWS_H
#define SANDBOX_NEWS_H

#include "reply.h"
#include "sandbox.h"

struct news *news_new(struct sandbox *sandbox);
void news_free(struct news *news);
/* Something happened. Answers those who wait, all at once, a moment later. */
void news_tell(struct news *news);
/* The same at once: at shutdown. */
void news_flush(struct news *news);
/* Answers GET /sandbox/api/activity?since=N&wait=S: when there is news since N, or after S seconds.
 */
void news_visit(struct visit *visit);

#endif
