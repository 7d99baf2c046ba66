/*
 * Tells the service manager how the program is: systemd's notification protocol (sd_notify(3)), a
 * datagram each. Without $NOTIFY_SOCKET nobody wants to know, and all of this does nothing. On one
 * thread.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

/* Each with a sentence for `systemctl status`. It serves, for the first time or again: */
void notify_ready(const char *status);
/* ... not, until notify_ready(), because it reads its configuration anew: */
void notify_reloading(const char *status);
/* ... not any more: */
void notify_stopping(const char *status);
/* Only the sentence. One that was told last is not told again. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Within how long the manager wants to hear notify_alive(), lest it end the program; 0: never. */
int64_t notify_watchdog_us(void);
void notify_alive(void);

#endif
