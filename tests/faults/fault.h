/*
 * What a test says to a library that is loaded into a program: words in a file that both have
 * mapped. $FAULT_CONTROL names the file; without it nothing ever happens. control.py is the other
 * side, and knows this layout.
 */
#ifndef FAULTS_FAULT_H
#define FAULTS_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

struct fault_control {
    _Atomic int64_t mode;    /* what to do; each library says which there are; 0: nothing */
    _Atomic int64_t value;   /* how much of it */
    _Atomic int64_t calls;   /* seen since the start */
    _Atomic int64_t struck;  /* of those, what did not go its usual way */
    _Atomic int64_t hanging; /* of those, what waits now for another mode */
};

/* Never NULL; may be asked before any constructor ran. */
struct fault_control *fault_control(void);
/* The function that the library stands before; ends the program if there is none. */
void *fault_next(const char *name);

#endif
