/*
 * The reference of the configuration, written from the table that loads it.
 */
#include <string.h>

#include "base/settings.h"
#include "base/settings_table.h"

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "Written from the table that loads it (`lib/base/settings_table.c`); a test compares the two.\n"
    "\n"
    "Every program reads `/etc/purchase-sync/purchase-sync.conf`, or the file that `--config` "
    "names:\n"
    "\n"
    "```ini\n"
    "[section]              ; or [section name]\n"
    "key = value            ; a `;` or `#` starts a comment at the line's beginning or after a "
    "blank\n"
    "```\n"
    "\n"
    "Values stand as they are: there are no quotes, escapes or continued lines, and a line may be "
    "as long as it likes. All faults of a file are told at once, each with file, line, section and "
    "key, and what was expected; the program then ends with exit code 78. On SIGHUP the file and "
    "all secrets are read again, and a file with a fault changes nothing.\n"
    "\n"
    "Refused are: an unknown section or key, either given twice, a value that its row below does "
    "not allow, a needed section or key that is missing.\n"
    "\n"
    "## Secret files\n"
    "\n"
    "Secrets are only ever files: never in this file, in the environment or on a command line. A "
    "relative path is looked up in `$CREDENTIALS_DIRECTORY` if that is set (systemd's "
    "`LoadCredential=`), else beside the configuration file. One secret a line; blank lines do not "
    "count, nor do blanks around a secret. Where several lines are allowed all of them are "
    "accepted and the first is used, so a secret rotates by adding the new one, changing it at the "
    "other side, and taking the old one out.\n"
    "\n"
    "Refused are: a file without a secret, a file that others may read, write or execute "
    "(`chmod o=` mends it), and one webhook secret shared by two sources.\n";

static void put_default(const struct setting *setting, struct buf *out)
{
    if (setting->needed)
        buf_puts(out, "needed");
    else if (setting->fallback == NULL || setting->fallback[0] == '\0')
        buf_puts(out, "none");
    else
        buf_printf(out, "`%s`", setting->fallback);
}

static void put_setting(const struct setting *setting, struct buf *out)
{
    buf_printf(out, "| `%s` | ", setting->key);
    setting_put_expected(setting, out);
    buf_puts(out, " | ");
    put_default(setting, out);
    buf_printf(out, " | %s |\n", setting->help);
}

static void put_heading(const struct section *section, struct buf *out)
{
    static const char *const forms[] = {
        [SECTION_ALONE] = "`[%s]`",
        [SECTION_NAMED] = "`[%s NAME]`",
        [SECTION_EITHER] = "`[%s]`, `[%s NAME]`",
    };
    const char *form = forms[section->naming];
    buf_puts(out, "\n## ");
    for (; *form != '\0'; form++) {
        if (form[0] == '%' && form[1] == 's') {
            buf_puts(out, section->name);
            form++;
        } else {
            buf_putc(out, *form);
        }
    }
    buf_printf(out, "\n\n%s%s\n\n", section->help, section->needed ? " Needed." : "");
}

void settings_document(struct buf *out)
{
    buf_puts(out, introduction);
    for (size_t i = 0; i < settings_section_count; i++) {
        put_heading(&settings_sections[i], out);
        buf_puts(out, "| key | value | default | meaning |\n|---|---|---|---|\n");
        for (size_t row = 0; row < settings_table_count; row++) {
            if (strcmp(settings_table[row].section, settings_sections[i].name) == 0)
                put_setting(&settings_table[row], out);
        }
    }
    buf_puts(out,
             "\nA name is 1 to 64 letters, digits, `.`, `_` and `-`. There are at most 64 sources "
             "and 16 Miro apps.\n");
}
