// What ordinary C programs lean on: the heap, formatted output and input, sorting, long jumps, the clock, files, pipes.
// Each part prints one line, `ok clib PART` or `FAIL clib PART`; the exit code is the number of failures.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int failures;

static void report(const char *part, int holds)
{
    printf("%s clib %s\n", holds ? "ok" : "FAIL", part);
    failures += !holds;
}

// Small blocks come from the break, large ones from mappings of their own.
static int heap(void)
{
    enum { BLOCKS = 200 };
    unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 17 + i * i * 13 % 300000;
        blocks[i] = malloc(size);
        if (!blocks[i])
            return 0;
        memset(blocks[i], (int)i, size);
    }
    for (size_t i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    for (size_t i = 1; i < BLOCKS; i += 2) {
        size_t size = 17 + i * i * 13 % 300000;
        for (size_t at = 0; at < size; at += 97)
            if (blocks[i][at] != (unsigned char)i)
                return 0;
        blocks[i] = realloc(blocks[i], size + 200000);
        if (!blocks[i] || blocks[i][size - 1] != (unsigned char)i)
            return 0;
        free(blocks[i]);
    }
    return 1;
}

static int large_blocks_are_zero(void)
{
    size_t size = 3 << 20;
    for (int round = 0; round < 4; round++) {
        unsigned char *block = calloc(1, size);
        if (!block)
            return 0;
        for (size_t at = 0; at < size; at += 511)
            if (block[at])
                return 0;
        memset(block, 0xff, size);
        free(block);
    }
    return 1;
}

static int numbers(void)
{
    char text[200];
    snprintf(text, sizeof text, "%d %5.2f %x %s %zu %e", -42, 3.14159, 48879, "text", (size_t)1 << 40, 6.02e23);
    double back;
    int whole;
    return strcmp(text, "-42  3.14 beef text 1099511627776 6.020000e+23") == 0 && sscanf("17 2.5", "%d %lf", &whole, &back) == 2
        && whole == 17 && back == 2.5 && fabs(sqrt(2.0) * sqrt(2.0) - 2.0) < 1e-12;
}

static int ascending(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static int sorting(void)
{
    enum { COUNT = 20000 };
    int *numbers = malloc(COUNT * sizeof *numbers);
    unsigned state = 1;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (int)((state = state * 1103515245 + 12345) >> 8);
    qsort(numbers, COUNT, sizeof *numbers, ascending);
    for (int i = 1; i < COUNT; i++)
        if (numbers[i - 1] > numbers[i])
            return 0;
    free(numbers);
    return 1;
}

static jmp_buf out;

static void sink(int depth)
{
    volatile char room[100];
    room[depth % 100] = (char)depth;
    if (depth == 0)
        longjmp(out, 7);
    if (depth > 0)
        sink(depth - 1);
    room[0]++;
}

static int long_jump(void)
{
    int came = setjmp(out);
    if (came == 0)
        sink(50);
    return came == 7;
}

static int clocks(void)
{
    struct timespec before, after, nap = { 0, 20 * 1000 * 1000 };
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (nanosleep(&nap, NULL))
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &after);
    long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    return ms >= 19 && ms < 2000 && time(NULL) > 1672531200;
}

static int files(const char *self)
{
    char magic[4] = "";
    FILE *file = fopen(self, "rb");
    if (!file || fread(magic, 1, 4, file) != 4 || memcmp(magic, "\177ELF", 4))
        return 0;
    long end = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    fclose(file);
    errno = 0;
    return end > 4096 && !fopen("/no/such/file", "r") && errno == ENOENT;
}

static int child_and_pipe(void)
{
    int ends[2], status;
    if (pipe(ends))
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        FILE *writer = fdopen(ends[1], "w");
        fprintf(writer, "from the child, %d\n", 6 * 7);
        fclose(writer);
        _exit(5);
    }
    close(ends[1]);
    char line[64] = "";
    FILE *reader = fdopen(ends[0], "r");
    if (!fgets(line, sizeof line, reader))
        return 0;
    fclose(reader);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 5
        && strcmp(line, "from the child, 42\n") == 0;
}

static int environment(void)
{
    if (setenv("LODGER_TEST", "value", 1))
        return 0;
    const char *value = getenv("LODGER_TEST");
    return value && strcmp(value, "value") == 0 && !getenv("LODGER_NONE");
}

// vector registers as the compiler likes to use them
static int vectors(void)
{
    float left[64], right[64], sum = 0;
    for (int i = 0; i < 64; i++) {
        left[i] = (float)i;
        right[i] = 2;
    }
    for (int i = 0; i < 64; i++)
        sum += left[i] * right[i];
    char pattern[5000], copy[5000];
    memset(pattern, 'x', sizeof pattern);
    memcpy(copy, pattern, sizeof copy);
    return sum == 4032 && memcmp(copy, pattern, sizeof copy) == 0 && strlen("vector") == 6;
}

int main(int argc, char **argv)
{
    (void)argc;
    report("heap", heap());
    report("large_blocks_are_zero", large_blocks_are_zero());
    report("numbers", numbers());
    report("sorting", sorting());
    report("long_jump", long_jump());
    report("clocks", clocks());
    report("files", files(argv[0][0] == '/' ? argv[0] : "/proc/self/exe"));
    report("child_and_pipe", child_and_pipe());
    report("environment", environment());
    report("vectors", vectors());
    printf("clib: %d failed\n", failures);
    return failures;
}
