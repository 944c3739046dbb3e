// gcc: -nostdlib -ffreestanding -fno-stack-protector -fno-builtin
// The first process of the ordinary root: it makes the place habitable, runs one program, and ends when that ends.
//
// With a file /etc/command (its strings end with NUL bytes) that is the command to run, and how it ends is how this ends:
// with 128 and the signal's number for a death. With `bare` on the kernel's command line the command's input, output
// and errors are the host's, else the console. Without the file a login shell gets the console; when it has ended,
// everybody is asked to end, and then made to. There is no libc here, so that it takes no room.

typedef unsigned long u64;
typedef long i64;

enum { READ = 0, WRITE = 1, OPEN = 2, CLOSE = 3, IOCTL = 16, DUP2 = 33, GETPID = 39, FORK = 57, EXECVE = 59, EXIT = 60,
    WAIT4 = 61, KILL = 62, MKDIR = 83, CHDIR = 80, SETSID = 112, MOUNT = 165, SETHOSTNAME = 170, NANOSLEEP = 35 };
enum { O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, TIOCSCTTY = 0x540e, WNOHANG = 1, ENOENT = 2, SIGTERM = 15, SIGHUP = 1,
    SIGKILL = 9, SIGCONT = 18 };

static char words[4096];        // the kernel's command line
static char text[65536];        // the command
static char *arguments[1024];
static char term[128] = "TERM=linux";
static char *environment[] = { "HOME=/root", "PATH=/bin:/sbin:/usr/bin:/usr/sbin", term, "USER=root", "LOGNAME=root",
    "SHELL=/bin/sh", 0 };

static i64 call(u64 number, u64 first, u64 second, u64 third, u64 fourth, u64 fifth)
{
    i64 result;
    register u64 r10 __asm__("r10") = fourth;
    register u64 r8 __asm__("r8") = fifth;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8)
        : "rcx", "r11", "memory");
    return result;
}

static u64 length(const char *of)
{
    u64 count = 0;
    while (of[count])
        count++;
    return count;
}

static void say(const char *what)
{
    call(WRITE, 2, (u64)what, length(what), 0, 0);
}

// Reads a file, as far as there is room, and returns its length; negative without it.
static i64 slurp(const char *path, char *to, u64 room)
{
    i64 file = call(OPEN, (u64)path, O_RDONLY, 0, 0, 0), length = 0, got;
    if (file < 0)
        return file;
    while (length < (i64)room && (got = call(READ, file, (u64)(to + length), room - length, 0, 0)) > 0)
        length += got;
    call(CLOSE, file, 0, 0, 0, 0);
    return length;
}

// Finds a word of the kernel's command line; returns what follows it.
static const char *find(const char *word)
{
    for (const char *at = words; *at; at++) {
        if (at != words && at[-1] != ' ')
            continue;
        u64 same = 0;
        while (word[same] && at[same] == word[same])
            same++;
        if (!word[same])
            return at + same;
    }
    return 0;
}

static void mount(const char *kind, const char *where)
{
    call(MKDIR, (u64)where, 0755, 0, 0, 0);
    // What the kernel has put there already stays.
    call(MOUNT, (u64)kind, (u64)where, (u64)kind, 0, 0);
}

static int is_there(const char *path)
{
    i64 file = call(OPEN, (u64)path, O_RDONLY, 0, 0, 0);
    if (file >= 0)
        call(CLOSE, file, 0, 0, 0, 0);
    return file >= 0;
}

static void settle(void)
{
    static char name[65];
    if (!is_there("/proc/self/stat"))
        mount("proc", "/proc");
    if (!is_there("/sys/kernel"))
        mount("sysfs", "/sys");
    i64 length = slurp("/etc/hostname", name, 64);
    while (length > 0 && name[length - 1] <= ' ')
        length--;
    if (length > 0)
        call(SETHOSTNAME, (u64)name, length, 0, 0, 0);
    slurp("/proc/cmdline", words, sizeof words - 1);
    const char *kind = find("term=");
    u64 at = 5;
    while (kind && *kind > ' ' && at < sizeof term - 1) {
        term[at++] = *kind++;
        term[at] = 0;
    }
}

static void take(const char *path, int flags, int as)
{
    i64 file = call(OPEN, (u64)path, flags, 0, 0, 0);
    if (file < 0 || file == as)
        return;
    call(DUP2, file, as, 0, 0, 0);
    call(CLOSE, file, 0, 0, 0, 0);
}

static void take_host(void)
{
    take("/dev/hostin", O_RDONLY, 0);
    take("/dev/hostout", O_WRONLY, 1);
    take("/dev/hosterr", O_WRONLY, 2);
}

// A session of its own, with the console as its terminal.
static void take_console(void)
{
    call(SETSID, 0, 0, 0, 0, 0);
    for (int fd = 0; fd < 3; fd++)
        take("/dev/ttyS0", O_RDWR, fd);
    call(IOCTL, 0, TIOCSCTTY, 0, 0, 0);
}

static int has_slash(const char *name)
{
    while (*name && *name != '/')
        name++;
    return *name != 0;
}

// Executes a program, looked for as a shell does; returns why not.
static i64 execute(const char *name, char **argv)
{
    static const char *const folders[] = { "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/" };
    static char path[4096];
    if (has_slash(name))
        return call(EXECVE, (u64)name, (u64)argv, (u64)environment, 0, 0);
    i64 why = -ENOENT;
    for (int folder = 0; folder < 4; folder++) {
        u64 at = 0;
        for (const char *from = folders[folder]; *from; from++)
            path[at++] = *from;
        for (const char *from = name; *from && at < sizeof path - 1; from++)
            path[at++] = *from;
        path[at] = 0;
        i64 failed = call(EXECVE, (u64)path, (u64)argv, (u64)environment, 0, 0);
        if (failed != -ENOENT)
            why = failed;
    }
    return why;
}

static void run(const char *name, char **argv)
{
    i64 why = execute(name, argv);
    say(name);
    say(why == -ENOENT ? ": not found\n" : ": cannot be run\n");
    call(EXIT, why == -ENOENT ? 127 : 126, 0, 0, 0, 0);
}

// Waits for a child, and for whoever else ends meanwhile; returns how it ended as shells tell it.
static int await(i64 child)
{
    for (;;) {
        int status = 0;
        i64 ended = call(WAIT4, -1, (u64)&status, 0, 0, 0);
        if (ended == child)
            return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
        if (ended < 0 && ended != -4)
            return 255;
    }
}

static void nap(void)
{
    u64 time[2] = { 0, 20000000 };
    call(NANOSLEEP, (u64)time, 0, 0, 0, 0);
}

// Everybody else ends: asked first, then made to.
static void end_all(void)
{
    if (call(KILL, -1, SIGTERM, 0, 0, 0) < 0)
        return;
    call(KILL, -1, SIGHUP, 0, 0, 0);
    call(KILL, -1, SIGCONT, 0, 0, 0);
    int status;
    for (int patience = 0; patience < 25; patience++) {
        i64 ended;
        while ((ended = call(WAIT4, -1, (u64)&status, WNOHANG, 0, 0)) > 0)
            ;
        if (ended < 0)
            return;
        nap();
    }
    call(KILL, -1, SIGKILL, 0, 0, 0);
    while (call(WAIT4, -1, (u64)&status, 0, 0, 0) > 0)
        ;
}

static int run_command(u64 size)
{
    u64 count = 0;
    for (u64 at = 0; at < size && count < 1023; at += length(text + at) + 1)
        arguments[count++] = text + at;
    i64 child = call(FORK, 0, 0, 0, 0, 0);
    if (child == 0) {
        if (find("bare"))
            take_host();
        else
            take_console();
        run(arguments[0], arguments);
    }
    return await(child);
}

static int run_shell(void)
{
    char *login[] = { "-sh", 0 };
    i64 child = call(FORK, 0, 0, 0, 0, 0);
    if (child == 0) {
        call(CHDIR, (u64)"/root", 0, 0, 0, 0);
        take_console();
        run("/bin/sh", login);
    }
    await(child);
    return 0;
}

static void start(void)
{
    settle();
    i64 size = slurp("/etc/command", text, sizeof text - 1);
    int code = size > 0 ? run_command(size) : run_shell();
    end_all();
    call(EXIT, code, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n    xor %ebp, %ebp\n    and $-16, %rsp\n    call begin\n");

__attribute__((used)) void begin(void)
{
    start();
}
