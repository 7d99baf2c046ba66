/*
 * Every limit of the program, named, in one place. Nothing waits without a deadline and nothing
 * grows without one of these.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Configuration. */
#define LIMIT_CONFIG_BYTES (1 << 20)       /* a configuration file */
#define LIMIT_CONFIG_FAULTS 100            /* faults of one file that are told one by one */
#define LIMIT_CONFIG_TEXT 255              /* bytes of a value that is free text, or of a host */
#define LIMIT_CONFIG_URL 2000              /* bytes of a URL or path in the configuration */
#define LIMIT_CONFIG_LIST 64               /* words of a value that is a list */
#define LIMIT_SECRET_FILE_BYTES (64 << 10) /* a secret, key or keyring file */
#define LIMIT_SECRETS_PER_FILE 8           /* lines of a secret file: rotation needs two */
#define LIMIT_NAME 64                      /* the name of a section, source or app */
#define LIMIT_SOURCES 64
#define LIMIT_MIRO_APPS 16
#define LIMIT_KEYRING_KEYS 32

/* HTTP server. */
#define LIMIT_HTTP_HEAD (16 << 10)           /* request line and headers */
#define LIMIT_HTTP_HEADERS 64                /* header lines of a request */
#define LIMIT_HTTP_CHUNK_LINE 256            /* a chunk's size and extensions */
#define LIMIT_HTTP_TRAILERS (4 << 10)        /* all trailer lines; read and dropped */
#define LIMIT_HTTP_CONNECTIONS 24000         /* open connections of one listener */
#define LIMIT_HTTP_PIPELINE_BYTES (64 << 10) /* unread input of one connection */
#define LIMIT_HTTP_REQUEST_MS 30000          /* first byte of a request to its last */
#define LIMIT_HTTP_GREETING_MS 10000 /* over TLS: from accept to a first request's first byte */
#define LIMIT_HTTP_IDLE_MS 75000     /* a kept connection between two requests */
#define LIMIT_HTTP_WRITE_MS 30000    /* an answer to a client that reads slowly */
#define LIMIT_HTTP_BODY_DEFAULT (2 << 20)  /* a request body, unless `max_body` says otherwise */
#define LIMIT_HTTP_HELD_BYTES (256 << 20)  /* bodies in memory, of all connections together */
#define LIMIT_HTTP_READ_BYTES (64 << 10)   /* one read from a connection */
#define LIMIT_HTTP_ACCEPTS 64              /* connections accepted in one turn */
#define LIMIT_HTTP_OVERFLOW 256            /* beyond the most: told 503 before they are closed */
#define LIMIT_HTTP_ACCEPT_PAUSE_MS 100     /* when there is no descriptor left */
#define LIMIT_HTTP_LINGER_MS 5000          /* for a client to read the last answer */
#define LIMIT_HTTP_LINGER_BYTES (16 << 20) /* read and dropped meanwhile */
#define LIMIT_HTTP_WEIGHT (2 << 10)        /* bytes that a connection is taken to hold */
#define LIMIT_HTTP_TRIM_BYTES (8 << 20)    /* a burst of that size: memory is given back */
#define LIMIT_HTTP_TRIM_MS 1000            /* after it is over */
#define LIMIT_HTTP_SPARE_FILES 256         /* descriptors that clients leave to others */
#define LIMIT_HTTP_PARTING_MS 500          /* a drain waits for what is on its way already */
#define LIMIT_HTTP_ADDRESS_OVERFLOW \
    16                           /* of one address, beyond its most: told 503; more: dropped */
#define LIMIT_FORWARDED_HOPS 32  /* proxies that X-Forwarded-For is followed through */
#define LIMIT_ALLOWANCES 65536   /* addresses, and users, whose requests are counted */
#define LIMIT_REQUEST_BURST_S 10 /* of a rate of requests, all at once */
#define LIMIT_REFUSALS_LOGGED 20 /* lines a second about what was refused; more are counted */

/* HTTP client. */
#define LIMIT_FETCH_CONNECT_MS 5000
#define LIMIT_FETCH_TOTAL_MS 20000
#define LIMIT_FETCH_BODY (8 << 20) /* an answer's body */
#define LIMIT_FETCH_IN_FLIGHT 256  /* calls of one client at a time */
#define LIMIT_FETCH_PER_HOST 8
#define LIMIT_FETCH_HEADERS (64 << 10) /* an answer's header lines together */
#define LIMIT_FETCH_KEPT 32            /* idle connections kept open */
#define LIMIT_FETCH_RETRY_S 604800     /* what a Retry-After can say at most */

/* Database. */
#define LIMIT_DB_CONNECT_S 5
#define LIMIT_DB_IO_S 10
#define LIMIT_DB_STATEMENT_SLACK_S                                                           \
    5                            /* after the client gave up on a statement, the server does \
                                  */
#define LIMIT_DB_IDLE_WRITE_S 10 /* between two statements of a transaction that wrote */
#define LIMIT_DB_STATEMENTS 256  /* prepared statements kept by a connection */
#define LIMIT_DB_TRIES 10        /* of a transaction that deadlocks */
#define LIMIT_BATCH_QUEUE 4096   /* operations waiting for one kind of batch */
#define LIMIT_BATCH_DRAIN_S 10   /* what is queued at shutdown may take */
#define LIMIT_DB_PACKET (64ul << 20)
#define LIMIT_MIGRATE_STATEMENT_S 3600 /* one statement of a migration */
#define LIMIT_MIGRATE_LEASE_S 15       /* after a crash another host waits this long */
#define LIMIT_MIGRATE_WAIT_S 600       /* for another host that migrates */

/* Identity. */
#define LIMIT_ID_TOKEN 4096     /* an idToken; libjwt uses alloca by input length */
#define LIMIT_MIRO_ID 32        /* digits of a user, team or client id */
#define LIMIT_ADDRESS 254       /* an e-mail address, RFC 5321 */
#define LIMIT_REFERENCE 200     /* a signed buyer reference */
#define LIMIT_REFERENCE_S 86400 /* which is good for as long */
#define LIMIT_API_BODY 4096     /* bytes that a plugin may post */

/* Orders. */
#define LIMIT_ORDER_ID 128 /* bytes of a shop's order, line, refund, dispute id */
#define LIMIT_IDENTITY 255 /* bytes of what tells one shop from another */
#define LIMIT_SELECTOR 191 /* bytes of a product, variant or sku */
#define LIMIT_ORDER_LINES 5000
#define LIMIT_ORDER_REFUNDS 1000
#define LIMIT_ORDER_DISPUTES 1000
#define LIMIT_ORDER_ALIASES 5000 /* of one order, in staged facts: a week's renewals for ages */
#define LIMIT_JSON_DEPTH 32
#define LIMIT_JSON_WEIGHT 1500000 /* values, and eight for each object, of one answer */
#define LIMIT_CATALOGUE_BYTES (8 << 20)
#define LIMIT_ENTITLEMENT_KEY 64

/* Worker. */
#define LIMIT_LEASE_BATCH 256
#define LIMIT_LANES 3 /* connections on which one worker merges; its own is the first */
#define LIMIT_FETCHES_PER_SOURCE \
    8 /* deliveries of a batch that may ask one shop; the others wait a moment */
#define LIMIT_SUSPECT_ATTEMPTS \
    2 /* tried as often without an end: it may have ended the worker, and is leased alone */
#define LIMIT_LEASE_S 60
#define LIMIT_DELIVERY_ATTEMPTS 40  /* over a day, with pauses of up to an hour */
#define LIMIT_TOKEN_STORE_TRIES 12  /* to store tokens whose predecessors are spent */
#define LIMIT_LEASE_BYTES (4 << 20) /* sealed bodies leased together, if they are more than one */
#define LIMIT_WORKER_STOP_MS 75000  /* SIGTERM to the end: more than a call and its store take */

/* Resync. */
#define LIMIT_RESYNC_LEASE_S 120   /* a run whose process is gone is taken over after this */
#define LIMIT_RESYNC_OVERLAP_S 600 /* read again before the watermark: shops commit late */
#define LIMIT_RESYNC_BATCH 512     /* orders judged or applied in one transaction */
#define LIMIT_RESYNC_TRIES 6       /* of one call, before the run is left for later */
#define LIMIT_RESYNC_PAUSE_S 120   /* that a shop may ask for between two calls */
#define LIMIT_RESYNC_PAGE_BYTES (32 << 20) /* an answer with a page of orders */
#define LIMIT_RESYNC_CALL_S 60             /* a page of orders may take */

/* Imports. */
#define LIMIT_IMPORT_RECORD (2 << 20)   /* a row of a file, or a line of JSON */
#define LIMIT_IMPORT_SPOOL (16ll << 30) /* bytes kept of standard input */
#define LIMIT_IMPORT_BATCH 200          /* orders, links or grants in one transaction */
#define LIMIT_IMPORT_FAULTS 50          /* bad lines that are told one by one */
#define LIMIT_IMPORT_LISTED 1000        /* contested addresses that are listed one by one */

/* Front. */
#define LIMIT_INGEST_BYTES (256 << 20) /* deliveries that wait for the database, in all */
#define LIMIT_WAITS 12000              /* checks that wait for news, in all */
#define LIMIT_WAITS_PER_USER 2         /* one more ends the oldest */
#define LIMIT_WAITS_PARTING 32         /* of a user that last a little yet: one more is not held */
#define LIMIT_WAIT_S 30                /* `wait` of a check; more means this */
#define LIMIT_WAIT_LOOK_MS                                                 \
    500 /* between two looks at a waiting check's answer, without the feed \
         */
#define LIMIT_WAIT_LOOKS_PER_S 4000 /* of all of them together: then each looks less often */
#define LIMIT_WAIT_WAKES_PER_S                                         \
    20000 /* woken by the feed: a change for all comes to them in turn \
           */
#define LIMIT_WAIT_LEAST_MS \
    2000                        /* a wait that a newer one of its user pushes out lasts this long */
#define LIMIT_OAUTH_STATE_S 600 /* from /oauth/start to the callback; Miro's codes live as long */
#define LIMIT_OAUTH_PARAMETER 2048 /* bytes of a code or a state */
#define LIMIT_OAUTH_IN_FLIGHT 64   /* installs between the callback and its answer */
#define LIMIT_OAUTH_PER_ADDRESS 16 /* of them, of one address */
#define LIMIT_OAUTH_STORE_TRIES 6  /* to store the tokens of a code that is spent */
#define LIMIT_PROBE_MS 2000        /* between two readings of the database's health */
#define LIMIT_PROBE_AGE_MS 10000   /* an older reading counts as none */
#define LIMIT_REOPEN_MS 2000       /* between two tries to reach the database at start */
#define LIMIT_DRAIN_MS 25000       /* from SIGTERM to the end */
#define LIMIT_NOTIFY_STATUS 512    /* bytes of a sentence for the service manager */

/* The spool. */
#define LIMIT_SPOOL_FILES 64   /* processes that share a state_dir */
#define LIMIT_SPOOL_QUEUE 8192 /* operations that wait for a commit */
#define LIMIT_SPOOL_TAKE 128   /* deliveries of one drain */
#define LIMIT_SPOOL_TRY 16     /* of one that tries whether the database is back */
#define LIMIT_SPOOL_TAKE_BYTES (8 << 20)
#define LIMIT_SPOOL_PAUSE_MS 1000    /* between two tries */
#define LIMIT_SPOOL_END_S 10         /* what is queued at the end may take */
#define LIMIT_SPOOL_ORPHANS_MS 10000 /* between two looks for files that nobody holds */
#define LIMIT_DELIVERY_INBOX_MS 2000 /* a database that takes longer is away */
#define LIMIT_DELIVERY_SPOOL_MS 2000 /* a disk that takes longer is answered 503: in all 4 s */
#define LIMIT_OUTAGE_GOOD_MS 1000    /* a database is back that stores in less ... */
#define LIMIT_OUTAGE_GOODS 2         /* ... as many times in a row */
#define LIMIT_OUTAGE_HUNG_MS 5000    /* a try that takes longer is cut off */

#define LIMIT_CLOCK_JUMP_S 300    /* a time further ahead was told by a clock that was wrong */
#define LIMIT_CLOCK_JUMP_ROWS 500 /* deliveries of one source that are set right at a time */

/* Shops' and Miro's bytes. */
#define LIMIT_EVENT_ID 255        /* bytes of a signed event id */
#define LIMIT_SIGNATURES 32       /* entries of one signature header that are tried */
#define LIMIT_QUANTITY 1000000000 /* of a line, or given back of it */
#define LIMIT_AMOUNT                                                                            \
    9000000000000000                 /* millionths: a thousand of them still add up in an int64 \
                                      */
#define LIMIT_SHOP_CREDENTIALS 512   /* bytes of a user and password for a shop's API */
#define LIMIT_LIST_CURSOR 1000       /* bytes of a cursor into a shop's list */
#define LIMIT_LIST_STUCK 10000       /* pages of a list that come no further than those before */
#define LIMIT_MIRO_ANSWER (64 << 10) /* a token or profile answer */
#define LIMIT_MIRO_TOKEN 1900        /* bytes of a token: sealed, it fits its column */
#define LIMIT_MIRO_SCOPE 512
#define LIMIT_MIRO_EXPIRY_S 3155760000 /* a century; no token that lives longer is told apart */

/* Claims, and their mails. */
#define LIMIT_CLAIM_LIFE_S 900      /* a code's */
#define LIMIT_CLAIM_TRIES 5         /* wrong ones, before a code is of no use */
#define LIMIT_CLAIM_WINDOW_S 3600   /* in which the next four are counted */
#define LIMIT_CLAIMS_KEPT_USER 20   /* of one user: a further one is answered, and forgotten */
#define LIMIT_CLAIM_MAILS_USER 10   /* that one user may cause */
#define LIMIT_CLAIM_MAILS_ADDRESS 5 /* to one address */
#define LIMIT_CLAIM_MAILS_PEER 60   /* that one host may cause, unless it is this one: a proxy */
#define LIMIT_CLAIM_KEPT_S 86400    /* older ones are deleted */
#define LIMIT_CLAIM_NAMES 20        /* purchases that a mail names */
#define LIMIT_MAIL_CONNECT_MS 10000
#define LIMIT_MAIL_TOTAL_MS 60000
#define LIMIT_MAIL_LEASE_S 120 /* then a mail whose worker is gone is sent by another */
#define LIMIT_MAILS_IN_FLIGHT 4

/* The change feed. */
#define LIMIT_FEED_COMMIT_S 30 /* from a writer's feed row to its COMMIT, else it rolls back */
/* The same to the commit's end: the server drops a writer that says nothing for
 * LIMIT_DB_IDLE_WRITE_S, and a COMMIT takes no longer than any other statement may. A row that was
 * not seen for as long will never be. */
#define LIMIT_FEED_WRITER_S 60
/* Rows older than this have no unseen row below them: LIMIT_FEED_WRITER_S, the statement that wrote
 * them, and the 30 s by which clocks may differ. */
#define LIMIT_FEED_SETTLED_S 120
#define LIMIT_FEED_FRESH_MS 250     /* a kept answer may be as old */
#define LIMIT_FEED_PAUSE_MS 25      /* between two readings while somebody asks or waits */
#define LIMIT_CHECKS_STRICT 50      /* in a tenth of a second: then answers may be FRESH_MS old */
#define LIMIT_FEED_IDLE_MS 1000     /* the same while nobody does */
#define LIMIT_FEED_LINGER_MS 10000  /* after the last check somebody still asks */
#define LIMIT_FEED_SILENCE_MS 1000  /* a longer reading: those who wait look themselves */
#define LIMIT_FEED_GAPS 512         /* ranges of ids that were not seen yet */
#define LIMIT_FEED_ROWS 16384       /* of one reading */
#define LIMIT_FEED_BEGIN_ROWS 65536 /* of the reading that begins: of LIMIT_FEED_SETTLED_S */
#define LIMIT_FEED_PLACE 512        /* bytes of what names a server */
#define LIMIT_FEED_KEEP_S 3600      /* rows that are older are deleted */
#define LIMIT_FEED_PURGE_ROWS 1000  /* at a time */

/* The answer cache. */
#define LIMIT_ANSWERS 16384            /* answers kept */
#define LIMIT_ANSWERS_BYTES (16 << 20) /* of them together */
#define LIMIT_ANSWER_BYTES (64 << 10)  /* a larger one is not kept */
#define LIMIT_TOUCHES 4096             /* changes remembered for answers that are being read */
#define LIMIT_CHECK_PATIENCE_MS                                                                   \
    2000                              /* a database that hangs is away, where a kept answer helps \
                                       */
#define LIMIT_TOKENS_REMEMBERED 16384 /* idTokens that were verified */

/* Keys. */
#define LIMIT_KEYS_SAY_MS 10000      /* between two words of a program about the keys it holds */
#define LIMIT_KEYS_SAY_AGAIN_MS 1000 /* after one that did not reach the database */
#define LIMIT_KEYS_ALIVE_S 60        /* a program that has said nothing for as long is gone */
#define LIMIT_KEYS_KEEP_S 86400      /* what it said is kept for */
#define LIMIT_KEYS_WALK 500          /* sealed values looked at by one statement */
#define LIMIT_KEYS_RESEAL 32         /* sealed anew in one transaction */
#define LIMIT_KEYS_PASSES 8          /* over everything, before `keys rewrap` gives up */

#endif
