#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define DAY_SECONDS 86400
#define MONTHS_PER_YEAR 12

struct moment {
    int64_t year;
    int month, day, hour, minute, second;
};

static const char weekday_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[MONTHS_PER_YEAR][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) != 0)
        die("the clock cannot be read");
    return (int64_t)now.tv_sec * TIME_SECOND + now.tv_nsec / 1000;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int64_t year, int month)
{
    static const int days[MONTHS_PER_YEAR] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Rounds towards the past, which is what dates before 1970 need. */
static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

/*
 * Days since 1970-01-01 in the proleptic Gregorian calendar. The year begins in March here, so that
 * the leap day is its last; an era is 400 years of 146097 days; 719468 days lie between 0000-03-01
 * and 1970-01-01.
 */
static int64_t days_from_date(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* The inverse of days_from_date. */
static void date_from_days(int64_t days, struct moment *out)
{
    int64_t shifted = days + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = year_of_era + era * 400 + (out->month <= 2 ? 1 : 0);
}

/* Seconds since 1970 to a date and a time of day; returns the day's number. */
static int64_t moment_from_seconds(int64_t seconds, struct moment *out)
{
    int64_t days = floor_div(seconds, DAY_SECONDS);
    int of_day = (int)(seconds - days * DAY_SECONDS);
    date_from_days(days, out);
    out->hour = of_day / 3600;
    out->minute = of_day / 60 % 60;
    out->second = of_day % 60;
    return days;
}

static int64_t moment_to_seconds(const struct moment *moment)
{
    return days_from_date(moment->year, moment->month, moment->day) * DAY_SECONDS +
           (int64_t)moment->hour * 3600 + (int64_t)moment->minute * 60 + moment->second;
}

/* A leap second is the last second of some hour's last minute, wherever the offset puts it. */
static bool moment_is_valid(const struct moment *moment)
{
    if (moment->month < 1 || moment->month > MONTHS_PER_YEAR || moment->day < 1 ||
        moment->day > days_of_month(moment->year, moment->month))
        return false;
    if (moment->hour > 23 || moment->minute > 59)
        return false;
    return moment->second <= 59 || (moment->second == 60 && moment->minute == 59);
}

void clock_format(int64_t time, char out[TIME_TEXT])
{
    struct moment moment;
    int64_t seconds = floor_div(time, TIME_SECOND);
    /* By subtraction in unsigned: TIME_NONE's whole seconds lie beyond the type. */
    int micros = (int)((uint64_t)time - (uint64_t)seconds * (uint64_t)TIME_SECOND);
    moment_from_seconds(seconds, &moment);
    int len = snprintf(out, TIME_TEXT, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)moment.year,
                       moment.month, moment.day, moment.hour, moment.minute, moment.second);
    if (micros != 0)
        len += snprintf(out + len, TIME_TEXT - (size_t)len, ".%06d", micros);
    (void)snprintf(out + len, TIME_TEXT - (size_t)len, "Z");
}

/* What is left to read; every reader takes from the front or fails. */
struct reader {
    const char *at;
    const char *end;
};

/* Exactly `count` digits. */
static int read_digits(struct reader *reader, int count, int *out)
{
    int value = 0;
    if (reader->end - reader->at < count)
        return -1;
    for (int i = 0; i < count; i++) {
        char c = reader->at[i];
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    reader->at += count;
    *out = value;
    return 0;
}

/* One of the characters of `set`. */
static int read_char(struct reader *reader, const char *set)
{
    if (reader->at == reader->end || *reader->at == '\0' || strchr(set, *reader->at) == NULL)
        return -1;
    reader->at++;
    return 0;
}

/* One of `count` names of three letters; its index or -1. */
static int read_name(struct reader *reader, const char (*names)[4], int count)
{
    if (reader->end - reader->at < 3)
        return -1;
    for (int i = 0; i < count; i++) {
        if (memcmp(reader->at, names[i], 3) == 0) {
            reader->at += 3;
            return i;
        }
    }
    return -1;
}

static int read_literal(struct reader *reader, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, literal, len) != 0)
        return -1;
    reader->at += len;
    return 0;
}

/* hour ":" minute ":" second */
static int read_time_of_day(struct reader *reader, struct moment *out)
{
    if (read_digits(reader, 2, &out->hour) != 0 || read_char(reader, ":") != 0 ||
        read_digits(reader, 2, &out->minute) != 0 || read_char(reader, ":") != 0 ||
        read_digits(reader, 2, &out->second) != 0)
        return -1;
    return 0;
}

/* ( "." digit{1,9} )?, in microseconds. */
static int read_fraction(struct reader *reader, int *micros)
{
    int digits = 0, digit;
    *micros = 0;
    if (read_char(reader, ".") != 0)
        return 0;
    while (digits < 9 && read_digits(reader, 1, &digit) == 0) {
        if (digits < 6)
            *micros = *micros * 10 + digit;
        digits++;
    }
    for (int i = digits; i < 6; i++)
        *micros *= 10;
    return digits > 0 ? 0 : -1;
}

/* ( "Z" | ("+" | "-") hour ":" minute )?, in seconds; nothing is UTC. */
static int read_offset(struct reader *reader, int *seconds)
{
    int hours, minutes;
    *seconds = 0;
    if (reader->at == reader->end || read_char(reader, "Zz") == 0)
        return 0;
    bool west = *reader->at == '-';
    if (read_char(reader, "+-") != 0 || read_digits(reader, 2, &hours) != 0 ||
        read_char(reader, ":") != 0 || read_digits(reader, 2, &minutes) != 0 || hours > 23 ||
        minutes > 59)
        return -1;
    *seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return 0;
}

/* date ( "T" | " " ) time fraction offset, and nothing behind it. */
int clock_parse(const char *text, size_t len, int64_t *out)
{
    struct reader reader = {text, text != NULL ? text + len : NULL};
    struct moment moment;
    int year, micros, offset;
    if (text == NULL || read_digits(&reader, 4, &year) != 0 || read_char(&reader, "-") != 0 ||
        read_digits(&reader, 2, &moment.month) != 0 || read_char(&reader, "-") != 0 ||
        read_digits(&reader, 2, &moment.day) != 0 || read_char(&reader, "Tt ") != 0 ||
        read_time_of_day(&reader, &moment) != 0 || read_fraction(&reader, &micros) != 0 ||
        read_offset(&reader, &offset) != 0 || reader.at != reader.end)
        return -1;
    moment.year = year;
    if (!moment_is_valid(&moment))
        return -1;
    *out = (moment_to_seconds(&moment) - offset) * TIME_SECOND + micros;
    return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; a weekday that is not the date's is no date. */
int clock_parse_http(const char *text, size_t len, int64_t *out)
{
    struct reader reader = {text, text != NULL ? text + len : NULL};
    struct moment moment;
    int year;
    if (text == NULL)
        return -1;
    int weekday = read_name(&reader, weekday_names, 7);
    if (weekday < 0 || read_literal(&reader, ", ") != 0 ||
        read_digits(&reader, 2, &moment.day) != 0 || read_char(&reader, " ") != 0)
        return -1;
    moment.month = read_name(&reader, month_names, MONTHS_PER_YEAR) + 1;
    if (read_char(&reader, " ") != 0 || read_digits(&reader, 4, &year) != 0 ||
        read_char(&reader, " ") != 0 || read_time_of_day(&reader, &moment) != 0 ||
        read_literal(&reader, " GMT") != 0 || reader.at != reader.end)
        return -1;
    moment.year = year;
    if (!moment_is_valid(&moment))
        return -1;
    int64_t seconds = moment_to_seconds(&moment);
    int64_t days = days_from_date(year, moment.month, moment.day);
    if (days - floor_div(days + 4, 7) * 7 + 4 != weekday)
        return -1;
    *out = seconds * TIME_SECOND;
    return 0;
}

/* 1970-01-01 was a Thursday, day 4 of a week that begins on Sunday. */
void clock_format_http(int64_t time, char out[TIME_TEXT])
{
    struct moment moment;
    int64_t days = moment_from_seconds(floor_div(time, TIME_SECOND), &moment);
    int weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
    (void)snprintf(out, TIME_TEXT, "%s, %02d %s %04lld %02d:%02d:%02d GMT", weekday_names[weekday],
                   moment.day, month_names[moment.month - 1], (long long)moment.year, moment.hour,
                   moment.minute, moment.second);
}
