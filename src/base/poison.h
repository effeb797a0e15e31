/* Forced into every translation unit of the library but those of base: raw allocators, unsafe libc calls and raw file
 * operations are compile errors there. */
#ifndef IPFSA_BASE_POISON_H
#define IPFSA_BASE_POISON_H
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#pragma GCC poison malloc calloc realloc strdup strndup reallocarray posix_memalign aligned_alloc
#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok
#pragma GCC poison pwrite pread fsync fdatasync ftruncate rename renameat unlink unlinkat mkdirat mkdir openat
#pragma GCC poison abort exit
#endif
