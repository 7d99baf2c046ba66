/*
 * What doctor looks at. Each part adds its findings: whether it is well, what it is, and what to do
 * about it.
 */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl.h"
#include "table.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_ERROR };

struct doctor {
    struct ctl *ctl;
    struct table *findings; /* for programs */
    struct table *lines;    /* for people: what to do stands below what it is */
    size_t counts[3];
    bool connected; /* the database answers */
    bool stored;    /* its schema fits, the index key opens, the sources are known */
};

/* One finding. `remedy` is what to do, or NULL if nothing is. */
void doctor_note(struct doctor *doctor, enum finding finding, const char *about, const char *remedy,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

void doctor_database(struct doctor *doctor);  /* reachability, durability, schema, index key */
void doctor_sources(struct doctor *doctor);   /* each shop's settings and deliveries */
void doctor_catalogue(struct doctor *doctor); /* rules, unmapped products */
/* Where products are bought, and how addresses are claimed. */
void doctor_buyers(struct doctor *doctor, const struct catalogue *catalogue);
void doctor_people(struct doctor *doctor);  /* tokens */
void doctor_host(struct doctor *doctor);    /* folder, descriptors */
void doctor_network(struct doctor *doctor); /* shops' APIs, Miro, the front */

#endif
