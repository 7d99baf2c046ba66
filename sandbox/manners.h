/*
 * What `expires_in` says in token answers, besides a number: the truth, or nothing.
 */
#ifndef SANDBOX_MANNERS_H
#define SANDBOX_MANNERS_H

#define EXPIRES_TRUTH (-2)
#define EXPIRES_ABSENT (-3)

#define TOKEN_SECONDS 3599
#define ID_TOKEN_SECONDS 300
#define CODE_SECONDS 600
#define RATE_LIMIT 100000 /* credits a minute; a profile costs 50 */
#define RATE_COST 50

#endif
