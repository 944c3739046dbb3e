// gcc: -nostdlib -ffreestanding -fno-stack-protector
// What a program finds when it starts (ES-1 to ES-3): registers, flags, the stack with argc, argv, envp and auxv.
// There is no libc here: the first instruction is `_start` below. Each line is `ok startup RULE` or `FAIL startup RULE`;
// the exit code is the number of failures.

typedef unsigned long u64;

#define REGISTERS 15

// The order in which _start saves them.
struct found {
    u64 general[REGISTERS];
    u64 rflags;
    u64 segments[6]; // cs ss ds es fs gs
    unsigned mxcsr;
    unsigned short x87_control, unused;
    u64 xmm0[2], xmm15[2];
};

static int failures;

static long syscall3(long number, u64 first, u64 second, u64 third)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
    return result;
}

static u64 length(const char *text)
{
    u64 count = 0;
    while (text[count])
        count++;
    return count;
}

static int equal(const char *left, const char *right)
{
    while (*left && *left == *right)
        left++, right++;
    return *left == *right;
}

static void say(const char *text)
{
    syscall3(1, 1, (u64)text, length(text));
}

static void say_hex(u64 value)
{
    char text[17];
    text[16] = 0;
    int at = 16;
    do
        text[--at] = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    say(text + at);
}

static void is(const char *rule, u64 got, u64 want)
{
    say(got == want ? "ok startup " : "FAIL startup ");
    say(rule);
    if (got != want) {
        say(": got ");
        say_hex(got);
        say(", want ");
        say_hex(want);
        failures++;
    }
    say("\n");
}

static u64 auxv_value(const u64 *auxv, u64 key)
{
    for (; auxv[0]; auxv += 2)
        if (auxv[0] == key)
            return auxv[1];
    return ~0ul;
}

static void check_registers(const struct found *found)
{
    u64 all = 0;
    for (int i = 0; i < REGISTERS; i++)
        all |= found->general[i];
    is("general_registers_are_zero", all, 0);
    is("rflags", found->rflags & ~0x44ul, 0x202);
    is("cs", found->segments[0], 0x33);
    is("ss", found->segments[1], 0x2b);
    is("data_segments_are_null", found->segments[2] | found->segments[3] | found->segments[4] | found->segments[5], 0);
    is("mxcsr", found->mxcsr, 0x1f80);
    is("x87_control", found->x87_control, 0x37f);
    is("xmm_is_zero", found->xmm0[0] | found->xmm0[1] | found->xmm15[0] | found->xmm15[1], 0);
}

static void check_bases(void)
{
    u64 fs = 1, gs = 1;
    is("reading_fs_base", (u64)syscall3(158, 0x1003, (u64)&fs, 0), 0);
    is("reading_gs_base", (u64)syscall3(158, 0x1004, (u64)&gs, 0), 0);
    is("fs_base_is_zero", fs, 0);
    is("gs_base_is_zero", gs, 0);
}

static void check_auxv(const u64 *auxv, const char *first_argument)
{
    is("page_size", auxv_value(auxv, 6), 4096);
    is("clock_ticks", auxv_value(auxv, 17), 100);
    is("program_header_size", auxv_value(auxv, 4), 56);
    is("not_secure", auxv_value(auxv, 23), 0);
    is("flags", auxv_value(auxv, 8), 0);
    is("user_is_effective_user", auxv_value(auxv, 11), auxv_value(auxv, 12));
    is("group_is_effective_group", auxv_value(auxv, 13), auxv_value(auxv, 14));
    is("platform", (u64)equal((const char *)auxv_value(auxv, 15), "x86_64"), 1);
    const u64 *random = (const u64 *)auxv_value(auxv, 25);
    is("random_bytes", (u64)(random[0] != 0 && random[0] != random[1]), 1);
    const char *name = (const char *)auxv_value(auxv, 31);
    is("name_of_the_file", (u64)(length(name) > 0), 1);
    is("first_argument", (u64)(length(first_argument) > 0), 1);
}

extern char _start[], __ehdr_start[];

// The kernel tells where the program headers are and where the program begins; both must be this program's.
static void check_addresses(const u64 *auxv)
{
    is("entry", auxv_value(auxv, 9), (u64)_start);
    is("program_headers", auxv_value(auxv, 3), (u64)__ehdr_start + *(u64 *)(__ehdr_start + 32));
    is("program_header_count", auxv_value(auxv, 5), *(unsigned short *)(__ehdr_start + 56));
    is("no_interpreter", auxv_value(auxv, 7), 0);
}

static int zeroed[3000];
static int filled[3] = { 1, 2, 3 };

static void check_data(void)
{
    int all = 0;
    for (int i = 0; i < 3000; i++)
        all |= zeroed[i];
    is("bss_is_zero", (u64)all, 0);
    is("data_is_filled", (u64)(filled[0] + filled[1] * 10 + filled[2] * 100), 321);
    zeroed[2999] = 5;
    filled[0] = 7;
    is("both_are_writable", (u64)(zeroed[2999] + filled[0]), 12);
}

// The strings lie above the auxiliary vector, argument after argument.
static void check_stack(u64 *stack)
{
    is("stack_is_aligned", (u64)stack % 16, 0);
    u64 argc = stack[0];
    char **argv = (char **)(stack + 1);
    is("argv_ends_with_null", (u64)argv[argc], 0);
    u64 in_order = 1;
    for (u64 i = 0; i + 1 < argc; i++)
        in_order &= argv[i] + length(argv[i]) + 1 == argv[i + 1];
    is("arguments_are_consecutive", in_order, 1);
    char **envp = argv + argc + 1;
    while (*envp)
        envp++;
    const u64 *auxv = (const u64 *)(envp + 1);
    check_auxv(auxv, argv[0]);
    check_addresses(auxv);
    const u64 *end = auxv;
    while (end[0])
        end += 2;
    is("auxv_ends_with_zeros", end[0] | end[1], 0);
    is("strings_are_above", (u64)((u64)argv[0] > (u64)end), 1);
}

__attribute__((used)) static void checks(u64 *stack, const struct found *found)
{
    check_registers(found);
    check_bases();
    check_stack(stack);
    check_data();
    say("startup: ");
    say_hex((u64)failures);
    say(" failed\n");
    syscall3(231, (u64)failures, 0, 0);
}

static struct found at_start __attribute__((used));

__asm__(".globl _start\n"
        "_start:\n"
        "  mov %rax, at_start+0(%rip)\n  mov %rbx, at_start+8(%rip)\n  mov %rcx, at_start+16(%rip)\n"
        "  mov %rdx, at_start+24(%rip)\n  mov %rsi, at_start+32(%rip)\n  mov %rdi, at_start+40(%rip)\n"
        "  mov %rbp, at_start+48(%rip)\n  mov %r8, at_start+56(%rip)\n  mov %r9, at_start+64(%rip)\n"
        "  mov %r10, at_start+72(%rip)\n  mov %r11, at_start+80(%rip)\n  mov %r12, at_start+88(%rip)\n"
        "  mov %r13, at_start+96(%rip)\n  mov %r14, at_start+104(%rip)\n  mov %r15, at_start+112(%rip)\n"
        "  mov %rsp, %rdi\n"
        "  pushfq\n  pop at_start+120(%rip)\n"
        "  mov %cs, %eax\n  mov %rax, at_start+128(%rip)\n  mov %ss, %eax\n  mov %rax, at_start+136(%rip)\n"
        "  mov %ds, %eax\n  mov %rax, at_start+144(%rip)\n  mov %es, %eax\n  mov %rax, at_start+152(%rip)\n"
        "  mov %fs, %eax\n  mov %rax, at_start+160(%rip)\n  mov %gs, %eax\n  mov %rax, at_start+168(%rip)\n"
        "  stmxcsr at_start+176(%rip)\n  fnstcw at_start+180(%rip)\n"
        "  movups %xmm0, at_start+184(%rip)\n  movups %xmm15, at_start+200(%rip)\n"
        "  lea at_start(%rip), %rsi\n"
        "  call checks\n"
        "  ud2\n");
