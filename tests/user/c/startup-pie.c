// gcc: -nostdlib -ffreestanding -fno-stack-protector -static-pie
// The same questions, asked by a program that may be loaded anywhere (ES-5). It needs no relocation of its own.
#include "startup.c"
