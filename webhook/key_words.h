/*
 * This front's word about the keys that it holds, said every few seconds for as long as it serves
 * (store/key_holders.h); what it holds from its start, or from a reload, engine_open() has said.
 */
#ifndef WEBHOOK_KEY_WORDS_H
#define WEBHOOK_KEY_WORDS_H

struct front;
struct key_words;

struct key_words *key_words_new(struct front *front);
void key_words_free(struct key_words *words);
/* When the front drains: nobody need wait for it any more. */
void key_words_leave(struct key_words *words);

#endif
