// A program in C, linked statically by the system's compiler: hello, with its arguments and a little arithmetic.
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    printf("Hello, %s! I am process %d, compiled by gcc.\n", argc > 1 ? argv[1] : "Lodger", (int)getpid());
    printf("A third is about %.6f, and I was given %d argument%s.\n", 1.0 / 3.0, argc - 1, argc == 2 ? "" : "s");
    return 0;
}
