/*
 * What every program that holds keys does before it reads any.
 */
#ifndef BASE_HARDEN_H
#define BASE_HARDEN_H

/* No core file and no debugger of the same user may see the memory, whatever the parent's limits
 * allow: the process is not dumpable (which /proc shows by root's ownership of its files), and may
 * write no core. A kernel that refuses is named in the log, under `program`. */
void harden_memory(const char *program);

#endif
