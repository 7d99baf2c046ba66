#include "claim_letter.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

#define LINE_BYTES 57 /* of which base64 makes 76 characters */

/* Both forms say the same; where they differ is in these. */
struct form {
    const char *begin, *paragraph, *paragraph_end, *code, *code_end, *end;
    bool escaped;
};

static const struct form text_form = {"", "", "\r\n\r\n", "    ", "\r\n\r\n", "", false};
static const struct form html_form = {
    "<!doctype html><html><body style=\"font:16px/1.5 sans-serif;max-width:36em\">",
    "<p>",
    "</p>\r\n",
    "<p style=\"font-size:28px;letter-spacing:4px\"><strong>",
    "</strong></p>\r\n",
    "</body></html>\r\n",
    true};

/* Whether three bytes are a mark without a width of its own, or one that turns the direction of
 * what follows: U+200B to U+200F, U+202A to U+202E, U+2066 to U+2069. */
static bool is_mark(const unsigned char *bytes)
{
    if (bytes[0] != 0xe2)
        return false;
    if (bytes[1] == 0x80)
        return (bytes[2] >= 0x8b && bytes[2] <= 0x8f) || (bytes[2] >= 0xaa && bytes[2] <= 0xae);
    return bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9;
}

/* Names come from the catalogue, and are text, whatever they hold. */
static void put_name(struct buf *out, const struct form *form, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        const unsigned char *byte = (const unsigned char *)at;

        if (is_mark(byte))
            at += 2;
        else if (*byte < ' ' || *byte == 0x7f)
            buf_putc(out, ' ');
        else if (form->escaped && *at == '<')
            buf_puts(out, "&lt;");
        else if (form->escaped && *at == '>')
            buf_puts(out, "&gt;");
        else if (form->escaped && *at == '&')
            buf_puts(out, "&amp;");
        else
            buf_putc(out, *at);
    }
}

static const char *name_of(const struct catalogue *catalogue, const char *key)
{
    for (size_t i = 0; catalogue != NULL && i < catalogue->entitlement_count; i++) {
        const struct catalogue_entitlement *entitlement = &catalogue->entitlements[i];

        if (strcmp(entitlement->key, key) == 0 && entitlement->name != NULL)
            return entitlement->name;
    }
    return key;
}

/* What the code gives away, and from whom. */
static void put_worth(struct buf *out, const struct form *form, const struct claim_mail *mail,
                      const struct catalogue *catalogue)
{
    buf_printf(out,
               "%sWhoever tells the code gets what was bought with this address, and what will be "
               "bought with it, for the Miro user %s",
               form->paragraph, mail->user);
    for (size_t i = 0; i < mail->key_count; i++) {
        buf_puts(out, i == 0 ? ": " : ", ");
        put_name(out, form, name_of(catalogue, mail->keys[i]));
    }
    buf_printf(out, ".%s", form->paragraph_end);
    if (mail->held_by_other)
        buf_printf(out,
                   "%sThese purchases are another Miro user's now. They would move from there to "
                   "the one above, and that user would be told.%s",
                   form->paragraph, form->paragraph_end);
}

static void put_body(struct buf *out, const struct form *form, const struct claim_mail *mail,
                     const struct catalogue *catalogue)
{
    char asked[TIME_TEXT], until[TIME_TEXT];

    clock_format(mail->asked_at - mail->asked_at % TIME_SECOND, asked);
    clock_format(mail->expires_at - mail->expires_at % TIME_SECOND, until);
    buf_puts(out, form->begin);
    buf_printf(out, "%sYour code:%s", form->paragraph, form->paragraph_end);
    buf_printf(out, "%s%s%s", form->code, mail->code, form->code_end);
    buf_printf(out,
               "%sThe Miro user %s, in the team %s, asked for it at %s. If that was you, type it "
               "into the plugin before %s.%s",
               form->paragraph, mail->user, mail->team, asked, until, form->paragraph_end);
    put_worth(out, form, mail, catalogue);
    buf_printf(out,
               "%sIf it was not you, do nothing, and give the code to nobody, whoever asks: "
               "without it nothing changes.%s",
               form->paragraph, form->paragraph_end);
    buf_puts(out, form->end);
}

static void put_part(struct buf *out, const char *type, const struct form *form,
                     const struct claim_mail *mail, const struct catalogue *catalogue)
{
    struct buf body = {0};

    buf_printf(out,
               "Content-Type: %s; charset=utf-8\r\n"
               "Content-Transfer-Encoding: base64\r\n\r\n",
               type);
    put_body(&body, form, mail, catalogue);
    for (size_t at = 0; at < body.len; at += LINE_BYTES) {
        size_t left = body.len - at;

        digest_base64(body.data + at, left < LINE_BYTES ? left : LINE_BYTES, out);
        buf_puts(out, "\r\n");
    }
    buf_wipe(&body);
}

/* RFC 5322's date is HTTP's with another name for the zone. */
static void put_date(struct buf *out, int64_t now)
{
    char text[TIME_TEXT];

    clock_format_http(now, text);
    buf_printf(out, "Date: %.*s +0000\r\n", (int)(strlen(text) - strlen(" GMT")), text);
}

/* Sent again, it has the same id: who receives it twice is shown it once. */
void claim_letter_write(const struct claim_mail *mail, const char *from,
                        const struct catalogue *catalogue, int64_t now, struct buf *out)
{
    const char *host = strrchr(from, '@');
    struct buf id = {0};

    digest_hex(mail->id, CLAIM_ID, &id);
    put_date(out, now);
    buf_printf(out,
               "From: <%s>\r\nTo: <%s>\r\nSubject: Your code for what you bought\r\n"
               "Message-ID: <%s%s>\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"
               "Content-Type: multipart/alternative; boundary=\"part-%s\"\r\n\r\n",
               from, mail->address, id.data, host == NULL ? "@localhost" : host, id.data);
    buf_printf(out, "--part-%s\r\n", id.data);
    put_part(out, "text/plain", &text_form, mail, catalogue);
    buf_printf(out, "--part-%s\r\n", id.data);
    put_part(out, "text/html", &html_form, mail, catalogue);
    buf_printf(out, "--part-%s--\r\n", id.data);
    buf_free(&id);
}
