/* Will what content says of itself fit, and does it say the truth? Sizes in links are claims that nobody has verified: a few kilobytes can describe 2^60
 * files and say that they have none. */
#include "node/get_room.h"

#include "unixfs/clone.h"

#define MIN_ENTRY 8           /* bytes that any entry adds to what an honest folder says: its link and its block have more */
#define CHECK_EVERY 128       /* entries */
#define CHECK_BYTES (64u << 20)
#define RESERVE 20            /* of content that lied, the last twentieth of the file system is not filled */

bool ipfsa_get_may_share(const char *repo, const char *where) {
  ipfsa_fs_room here, there;
  return !ipfsa_clone_is_off() && ipfsa_fs_room_at(repo, &here, NULL) == IPFSA_OK && ipfsa_fs_room_at(where, &there, NULL) == IPFSA_OK && here.may_share &&
         memcmp(here.id, there.id, sizeof here.id) == 0;
}

ipfsa_status ipfsa_get_check_room(const char *repo, const char *what, const char *where, uint64_t size, ipfsa_error *err) {
  ipfsa_fs_room room;
  if (ipfsa_fs_room_at(where, &room, NULL) != IPFSA_OK || size <= room.bytes) return IPFSA_OK;
  if (repo && size <= room.all_bytes && ipfsa_get_may_share(repo, where)) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NO_SPACE, "%.200s says that it has %llu bytes, and the target has room for %llu; name another place with -o", what,
                    (unsigned long long)size, (unsigned long long)room.bytes);
}

static bool goes_beyond(const ipfsa_get_claim *claim) {
  uint64_t least;
  return __builtin_mul_overflow(claim->entries, (uint64_t)MIN_ENTRY, &least) || __builtin_add_overflow(least, claim->bytes, &least) || least > claim->said;
}

ipfsa_status ipfsa_get_check_claim(ipfsa_get_claim *claim, int dirfd, ipfsa_error *err) {
  if (!goes_beyond(claim) || (claim->entries - claim->checked_entries < CHECK_EVERY && claim->bytes - claim->checked_bytes < CHECK_BYTES)) return IPFSA_OK;
  claim->checked_entries = claim->entries;
  claim->checked_bytes = claim->bytes;
  char path[64];
  ipfsa_fs_room room;
  snprintf(path, sizeof path, "/proc/self/fd/%d", dirfd);
  if (ipfsa_fs_room_at(path, &room, NULL) != IPFSA_OK) return IPFSA_OK;
  if (room.bytes >= room.all_bytes / RESERVE && room.files >= room.all_files / RESERVE) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NO_SPACE,
                    "the folder says that it has %llu bytes and has more: %llu in %llu entries so far; stopped while a twentieth of the target's file system is free",
                    (unsigned long long)claim->said, (unsigned long long)claim->bytes, (unsigned long long)claim->entries);
}
