#include "key_words.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "front.h"
#include "store/key_holders.h"

struct key_words {
    struct front *front;
    struct loop_timer *timer;
    struct key_word word; /* the executor's while `saying` */
    bool saying, leaving;
};

static void key_words_said(void *operation, enum db_result result);

/* Hands the word to the database, unless the last one is still under way. */
static void key_words_say(struct key_words *words)
{
    words->word = (struct key_word){.program = FRONT_PROGRAM, .leaves = words->leaving};
    words->saying = front_submit(words->front, &key_word_batch, &words->word, key_words_said);
}

/* One that came to nothing is said again before long; the executor has logged why. */
static void key_words_said(void *operation, enum db_result result)
{
    struct key_words *words = OWNER_OF(operation, struct key_words, word);
    int pause_ms = result == DB_OK ? LIMIT_KEYS_SAY_MS : LIMIT_KEYS_SAY_AGAIN_MS;
    bool left = words->word.leaves;
    words->saying = false;
    if (words->leaving && !left)
        key_words_say(words);
    else if (!left)
        loop_timer_set(words->timer, pause_ms * INT64_C(1000), true);
}

static void key_words_tick(void *arg)
{
    struct key_words *words = arg;
    if (!words->saying)
        key_words_say(words);
    if (!words->saying)
        loop_timer_set(words->timer, LIMIT_KEYS_SAY_AGAIN_MS * INT64_C(1000), true);
}

struct key_words *key_words_new(struct front *front)
{
    struct key_words *words = xcalloc(1, sizeof(*words));
    words->front = front;
    words->timer = loop_timer_new(front->loop, key_words_tick, words);
    loop_timer_set(words->timer, LIMIT_KEYS_SAY_MS * INT64_C(1000), true);
    return words;
}

void key_words_free(struct key_words *words)
{
    if (!words)
        return;
    loop_timer_free(words->timer);
    free(words);
}

void key_words_leave(struct key_words *words)
{
    words->leaving = true;
    loop_timer_clear(words->timer);
    if (!words->saying)
        key_words_say(words);
}
