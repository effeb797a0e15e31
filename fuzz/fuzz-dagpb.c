/* dag-pb and UnixFS: links are read as often as counted; the logical form comes back; a UnixFS message keeps its sums. */
#include "base/buf.h"
#include "fuzz.h"
#include "ipld/dagpb_value.h"
#include "unixfs/unixfs.h"

static void check_unixfs(const ipfsa_pbnode *node) {
  ipfsa_unixfs u;
  if (!node->has_data || ipfsa_unixfs_decode(node->data, node->n_links, &u, NULL) != IPFSA_OK) return;
  ipfsa_blocksize_iter sizes = ipfsa_unixfs_blocksizes(&u);
  uint64_t size, sum = 0;
  uint32_t n = 0;
  while (ipfsa_blocksize_next(&sizes, &size)) sum += size, n++;
  FUZZ_CHECK(n == u.n_blocksizes && sum == u.blocksizes_sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_pbnode node;
  ipfsa_value value = {0}, again = {0};
  ipfsa_buf out = {0}, twice = {0};
  if (ipfsa_pbnode_decode(ipfsa_bytes_of(data, size), &node, NULL) != IPFSA_OK) return 0;
  fuzz_accepted = 1;
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  uint32_t n = 0;
  while (ipfsa_pb_link_next(&links, &link)) {
    ipfsa_cid cid;
    FUZZ_CHECK(ipfsa_pb_link_cid(&link, &cid, NULL) == IPFSA_OK);
    n++;
  }
  FUZZ_CHECK(n == node.n_links);
  check_unixfs(&node);
  if (ipfsa_dagpb_to_value(ipfsa_bytes_of(data, size), &value, NULL) == IPFSA_OK) {
    FUZZ_CHECK(ipfsa_dagpb_from_value(&value, 0, &out, NULL) == IPFSA_OK);
    FUZZ_CHECK(ipfsa_dagpb_to_value(ipfsa_buf_bytes(&out), &again, NULL) == IPFSA_OK);
    FUZZ_CHECK(ipfsa_dagpb_from_value(&again, 0, &twice, NULL) == IPFSA_OK);
    FUZZ_CHECK(out.len == twice.len && (out.len == 0 || memcmp(out.data, twice.data, out.len) == 0));
  }
  ipfsa_value_release(&value);
  ipfsa_value_release(&again);
  ipfsa_buf_release(&out);
  ipfsa_buf_release(&twice);
  return 0;
}
