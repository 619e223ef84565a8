/*
 * The smallest plugin that can be counted: says OK and, when given a file, appends one byte to it.
 * The file's size is then how often it ran, whoever ran it. Further arguments are ignored, so that
 * every check can have a command line of its own.
 */
#include <fcntl.h>
#include <unistd.h>

#define SAYS "OK - nothing was asked | time=0s\n"

int main(int argc, char **argv)
{
    if (argc > 1) {
        int tally = open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);

        if (tally < 0 || write(tally, "x", 1) != 1)
            return 3;
    }
    return write(STDOUT_FILENO, SAYS, sizeof SAYS - 1) < 0 ? 3 : 0;
}
