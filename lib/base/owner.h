/*
 * This process's name among all that share a database: in leases, and for the keys that it holds.
 */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#define OWNER_NAME 64 /* room for it */

/* "host-digest:pid:random", the same for as long as the process lives. The digest tells apart hosts
 * whose names begin alike, and containers that share a name: whoever has the same one can see each
 * other's processes. */
const char *owner_name(void);

#endif
