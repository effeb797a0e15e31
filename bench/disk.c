/* What the disk takes: usage: bench-disk FILE MIB
 *
 * Writes MIB mebibytes past the page cache, 8 at a time, one write after the other, syncs, and prints the seconds that took. The bytes stand in huge pages, so that a
 * request is a few pieces and not two thousand, for which the block layer would make many requests of it: fio, whose buffers are in small pages, gets little more than half. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define PIECE (8 * MIB)
#define HUGE (2 * MIB)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Not zeros, which a disk may keep elsewhere. */
static uint32_t *make_piece(void) {
  uint8_t *room = mmap(NULL, PIECE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return NULL;
  uint32_t *piece = (uint32_t *)(void *)(room + (HUGE - (uintptr_t)room % HUGE) % HUGE), next = 1;
  (void)madvise(piece, PIECE, MADV_HUGEPAGE);
  for (size_t i = 0; i < PIECE / sizeof *piece; i++) piece[i] = next = next * 1664525 + 1013904223;
  return piece;
}

int main(int argc, char **argv) {
  size_t mib = argc == 3 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
  uint32_t *piece = make_piece();
  if (mib == 0 || !piece) return fprintf(stderr, "usage: bench-disk FILE MIB\n"), 2;
  int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
  if (fd < 0) return perror(argv[1]), 1;
  double start = now();
  for (size_t at = 0; at < mib * MIB; at += PIECE) {
    size_t len = mib * MIB - at < PIECE ? mib * MIB - at : PIECE;
    piece[0] = (uint32_t)(at / PIECE); /* no piece is another again */
    if (pwrite(fd, piece, len, (off_t)at) != (ssize_t)len) return perror("write"), 1;
  }
  if (fdatasync(fd) != 0) return perror("sync"), 1;
  printf("%.6f\n", now() - start);
  return close(fd) == 0 ? 0 : 1;
}
