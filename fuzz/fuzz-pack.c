/* What packs hold: table entries and external records. */
#include "base/alloc.h"
#include "base/buf.h"
#include "fuzz.h"
#include "store/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(data, size));
  ipfsa_pack_entry entry, back;
  ipfsa_external where;
  ipfsa_buf out = {0};
  while (ipfsa_cursor_pack_entry(&c, &entry)) {
    fuzz_accepted = 1;
    ipfsa_buf_clear(&out);
    ipfsa_buf_pack_entry(&out, &entry);
    ipfsa_cursor again = ipfsa_cursor_over(ipfsa_buf_bytes(&out));
    FUZZ_CHECK(ipfsa_cursor_pack_entry(&again, &back) && ipfsa_cursor_left(&again) == 0);
    FUZZ_CHECK(back.kind == entry.kind && back.off == entry.off && back.len == entry.len && ipfsa_multihash_equal(&back.mh, &entry.mh));
  }
  if (ipfsa_external_decode(ipfsa_bytes_of(data, size), &where, NULL) == IPFSA_OK) {
    fuzz_accepted = 1;
    ipfsa_buf_clear(&out);
    ipfsa_buf_external(&out, &where);
    FUZZ_CHECK(out.len <= size && memcmp(out.data, data, out.len) == 0);
  }
  ipfsa_buf_release(&out);
  return 0;
}
