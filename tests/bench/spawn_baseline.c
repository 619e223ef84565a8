/*
 * The yardstick: what it costs a plain C program to run a plugin and read what it says.
 *
 *     spawn_baseline PROCESSES DEPTH SECONDS PLUGIN [ARGUMENT...]
 *
 * Each of PROCESSES keeps DEPTH plugins going: posix_spawn with stdout and stderr on one pipe, read
 * to its end, waitpid, and the next. Prints "runs seconds cpu_seconds" of the whole tree (user and
 * system, plugins included). Exits 1 when a plugin failed: a baseline of failures is worth nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct run {
    pid_t pid;
    int output;
};

static char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};

static double clock_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t)
{
    return t.tv_sec + t.tv_usec * 1e-6;
}

static void need(int good, const char *what)
{
    if (!good) {
        perror(what);
        _exit(1);
    }
}

static struct run start(char **argv)
{
    struct run run;
    int ends[2];
    posix_spawn_file_actions_t actions;

    need(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    need(posix_spawn(&run.pid, argv[0], &actions, NULL, argv, environment) == 0, argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    run.output = ends[0];
    return run;
}

static void end(struct run run)
{
    char text[4096];
    int status;

    while (read(run.output, text, sizeof text) > 0)
        ;
    close(run.output);
    need(waitpid(run.pid, &status, 0) == run.pid, "waitpid");
    need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "plugin");
}

/* Runs plugins until `until` and writes their number to `report`. */
static void work(int depth, double until, char **argv, int report)
{
    struct run runs[depth];
    long count = 0;
    int i;

    for (i = 0; i < depth; i++)
        runs[i] = start(argv);
    for (i = 0; clock_s() < until; i = (i + 1) % depth, count++) {
        end(runs[i]);
        runs[i] = start(argv);
    }
    for (i = 0; i < depth; i++, count++)
        end(runs[i]);
    need(write(report, &count, sizeof count) == sizeof count, "report");
}

int main(int argc, char **argv)
{
    int processes, depth, report[2], failed = 0, status;
    long total = 0, count;
    double began = clock_s();
    struct rusage used;

    if (argc < 5 || (processes = atoi(argv[1])) < 1 || (depth = atoi(argv[2])) < 1) {
        fprintf(stderr, "usage: %s PROCESSES DEPTH SECONDS PLUGIN [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    need(pipe2(report, O_CLOEXEC) == 0, "pipe2");
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();

        need(pid >= 0, "fork");
        if (pid == 0) {
            work(depth, began + atof(argv[3]), argv + 4, report[1]);
            _exit(0);
        }
    }
    close(report[1]);
    while (read(report[0], &count, sizeof count) == sizeof count)
        total += count;
    while (wait(&status) > 0)
        failed |= status;
    getrusage(RUSAGE_CHILDREN, &used);
    printf("%ld %.6f %.6f\n", total, clock_s() - began,
           seconds(used.ru_utime) + seconds(used.ru_stime));
    return failed ? 1 : 0;
}
