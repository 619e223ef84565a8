/*
 * What the servers of the bed run: a plugin and a notification command that write down that they ran.
 * One line per event, appended with one write(2), so that lines of several servers never mix. Times are
 * CLOCK_BOOTTIME, which all servers of a bed share, whatever their wall clocks say.
 *
 *   check LEDGER KEY KIND KNOWN STATE TYPE ATTEMPT    KIND: ok, flip:PERIOD_S:PHASE_S, file:PATH, slow:SECONDS
 *   tell  LEDGER SLEEP_S KIND KEY STATE NUMBER CONTACT OUTPUT
 *
 * A check says "r<epoch>.<seq>" of its own order: the next order of the object tells as KNOWN, which is "k" and
 * the last output, of which run the scheduler has heard last. An OUTPUT may have the tag of a repeat behind it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *said(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : "-";
}

static int note(const char *ledger, const char *line, int length)
{
    int file = open(ledger, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

    if (file < 0 || length <= 0 || write(file, line, (size_t)length) != length)
        return 3;
    return close(file);
}

static int result(const char *kind, double began)
{
    if (!strncmp(kind, "flip:", 5)) {
        char *rest;
        double period = strtod(kind + 5, &rest);
        double phase = *rest == ':' ? strtod(rest + 1, NULL) : 0;

        return (long)((began + phase) / period) % 2 ? 2 : 0;
    }
    if (!strncmp(kind, "file:", 5))
        return access(kind + 5, F_OK) == 0 ? 2 : 0;
    if (!strncmp(kind, "slow:", 5))
        usleep((useconds_t)(atof(kind + 5) * 1e6));
    return 0;
}

static int check(char **argv)
{
    char line[1024], host[64];
    double began = now();
    const char *order = said("SHINKEN_ORDER");
    const char *dot = strchr(order, '.');
    int code = result(argv[4], began), length;

    gethostname(host, sizeof host);
    length = snprintf(line, sizeof line, "%.4f %.4f %s %s %s %d %s %s %s %s\n", began, now(), host, order,
                      argv[3], code, argv[5][1] ? argv[5] + 1 : "-", argv[6], argv[7], argv[8]);
    if (note(argv[2], line, length))
        return 3;
    printf("r%s\n", dot ? dot + 1 : "-");
    return code;
}

static int tell(char **argv)
{
    char line[1024], host[64];
    double began = now();
    int length;

    gethostname(host, sizeof host);
    length = snprintf(line, sizeof line, "begin %.4f %s %s %s %s %s %s %s %s %s %.*s\n", began, host,
                      said("SHINKEN_ORDER"),
                      said("SHINKEN_NOTIFICATION_ID"), said("SHINKEN_NOTIFICATION_TAG")[0] == '-' ? "sure" : "tagged",
                      argv[4], argv[5], argv[6], argv[7], argv[8], (int)strcspn(argv[9], " "), argv[9]);
    if (note(argv[2], line, length))
        return 1;
    usleep((useconds_t)(atof(argv[3]) * 1e6));
    memcpy(line, "ended", 5);
    return note(argv[2], line, length) ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc > 8 && !strcmp(argv[1], "check"))
        return check(argv);
    if (argc > 9 && !strcmp(argv[1], "tell"))
        return tell(argv);
    fprintf(stderr, "check or tell, with all arguments\n");
    return 3;
}
