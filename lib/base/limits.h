/*
 * Every limit of the program, named, in one place. Nothing waits without a deadline and nothing
 * grows without one of these.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Configuration. */
#define LIMIT_CONFIG_BYTES (1 << 20)       /* a configuration file */
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
#define LIMIT_HTTP_CONNECTIONS 12000         /* open connections of one listener */
#define LIMIT_HTTP_PIPELINE_BYTES (64 << 10) /* unread input of one connection */
#define LIMIT_HTTP_REQUEST_MS 30000          /* first byte of a request to its last */
#define LIMIT_HTTP_IDLE_MS 75000             /* a kept connection between two requests */
#define LIMIT_HTTP_WRITE_MS 30000            /* an answer to a client that reads slowly */
#define LIMIT_HTTP_BODY_DEFAULT (2 << 20)    /* a request body, unless `max_body` says otherwise */

/* HTTP client. */
#define LIMIT_FETCH_CONNECT_MS 5000
#define LIMIT_FETCH_TOTAL_MS 20000
#define LIMIT_FETCH_BODY (8 << 20) /* an answer's body */
#define LIMIT_FETCH_IN_FLIGHT 256  /* calls of one client at a time */
#define LIMIT_FETCH_PER_HOST 8

/* Database. */
#define LIMIT_DB_CONNECT_S 5
#define LIMIT_DB_IO_S 10
#define LIMIT_DB_STATEMENTS 256 /* prepared statements kept by a connection */
#define LIMIT_DB_TRIES 10       /* of a transaction that deadlocks */
#define LIMIT_BATCH_QUEUE 4096  /* operations waiting for one kind of batch */

/* Identity. */
#define LIMIT_ID_TOKEN 4096 /* an idToken; libjwt uses alloca by input length */
#define LIMIT_MIRO_ID 32    /* digits of a user, team or client id */
#define LIMIT_ADDRESS 254   /* an e-mail address, RFC 5321 */
#define LIMIT_REFERENCE 200 /* a signed buyer reference */

/* Orders. */
#define LIMIT_ORDER_ID 128 /* bytes of a shop's order, line, refund, dispute id */
#define LIMIT_SELECTOR 191 /* bytes of a product, variant or sku */
#define LIMIT_ORDER_LINES 1000
#define LIMIT_ORDER_REFUNDS 1000
#define LIMIT_JSON_DEPTH 32
#define LIMIT_CATALOGUE_BYTES (8 << 20)
#define LIMIT_ENTITLEMENT_KEY 64

/* Worker. */
#define LIMIT_LEASE_BATCH 64
#define LIMIT_LEASE_S 120
#define LIMIT_DELIVERY_ATTEMPTS 12

#endif
