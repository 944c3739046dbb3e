/* A program with text, data and a megabyte of bss, for tests/real.rs. */
#include <stdio.h>

static char zeroes[1 << 20];
static int counter = 1;

int main(void)
{
    printf("hello %d\n", counter + zeroes[4096]);
    return 0;
}
