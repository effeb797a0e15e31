/* A bit of the packs goes wrong. */
#ifndef IPFSA_TESTS_DAMAGE_H
#define IPFSA_TESTS_DAMAGE_H

#include <dirent.h>

#include "../support.h"

#define MAX_DAMAGED_PACK ((size_t)16 << 20) /* bytes that are looked at of each */

/* The one place that has these bytes. */
static void damage_packs(const char *repo, const uint8_t *bytes, size_t len) {
  char path[1400];
  snprintf(path, sizeof path, "%s/packs", repo);
  DIR *dir = opendir(path);
  uint8_t *all = malloc(MAX_DAMAGED_PACK);
  size_t n_found = 0;
  assert_true(dir && all);
  for (struct dirent *e; (e = readdir(dir));) {
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/packs/%s", repo, e->d_name);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    size_t n = fread(all, 1, MAX_DAMAGED_PACK, f);
    const uint8_t *at = memmem(all, n, bytes, len);
    if (at) {
      uint8_t wrong = (uint8_t)(*at ^ 1);
      assert_int_equal(fseek(f, at - all, SEEK_SET), 0);
      assert_int_equal(fwrite(&wrong, 1, 1, f), 1);
      n_found++;
    }
    fclose(f);
  }
  closedir(dir);
  free(all);
  assert_int_equal(n_found, 1);
}

#endif
