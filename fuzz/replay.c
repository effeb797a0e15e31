/* Runs every file of tests/corpus/<format>/{ok,should-fail,fuzz}/ through one target: usage: replay-FORMAT FOLDER. */
#include <dirent.h>
#include <stdlib.h>

#include "fuzz.h"

#define MAX_FILE (16u << 20)

static int read_file(const char *path, uint8_t **ret, size_t *ret_len) {
  FILE *file = fopen(path, "rb");
  if (!file) return -1;
  uint8_t *data = malloc(MAX_FILE);
  size_t len = data ? fread(data, 1, MAX_FILE, file) : 0;
  int bad = !data || ferror(file) || len == MAX_FILE;
  fclose(file);
  if (bad) {
    free(data);
    return -1;
  }
  /* Exactly as many bytes as the file has, so that a sanitizer sees reads past the end. */
  uint8_t *exact = malloc(len ? len : 1);
  if (exact) memcpy(exact, data, len);
  free(data);
  *ret = exact;
  *ret_len = len;
  return exact ? 0 : -1;
}

/* want: 1 must be accepted, 0 must be refused, -1 either. Returns the number of failures. */
static int replay_file(const char *path, int want) {
  uint8_t *data = NULL;
  size_t len = 0;
  if (read_file(path, &data, &len) != 0) {
    fprintf(stderr, "%s: cannot be read whole\n", path);
    return 1;
  }
  fuzz_accepted = 0;
  LLVMFuzzerTestOneInput(data, len);
  free(data);
  if (want < 0 || !!fuzz_accepted == want) return 0;
  fprintf(stderr, "%s: was %s\n", path, want ? "refused and is valid" : "accepted and is malformed");
  return 1;
}

static int replay_folder(const char *root, const char *name, int want, unsigned *n_files) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", root, name);
  DIR *dir = opendir(path);
  if (!dir) return 0;
  int failures = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    int n = snprintf(path, sizeof path, "%s/%s/%s", root, name, entry->d_name);
    if (n < 0 || (size_t)n >= sizeof path) failures++;
    else failures += replay_file(path, want);
    ++*n_files;
  }
  closedir(dir);
  return failures;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
    return 2;
  }
  unsigned n_files = 0;
  int failures = replay_folder(argv[1], "ok", 1, &n_files) + replay_folder(argv[1], "should-fail", 0, &n_files) +
                 replay_folder(argv[1], "fuzz", -1, &n_files);
  printf("%u files replayed, %d failures\n", n_files, failures);
  if (n_files == 0) fprintf(stderr, "%s: no corpus\n", argv[1]);
  return failures || n_files == 0 ? 1 : 0;
}
