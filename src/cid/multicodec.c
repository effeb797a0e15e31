/* Names and codes of the multicodec table (multiformats/multicodec: table.csv), as much as CIDs and IPFS protocols use. */
#include <strings.h>

#include "cid/cid.h"

typedef struct table_entry {
  uint16_t code;
  const char *name;
  bool supported;
} table_entry;

/* What `cid codecs` lists: codecs of the table's tag "ipld" and those that IPFS nodes meet, in code order. */
static const table_entry codecs[] = {
    {0x51, "cbor", true},
    {0x55, "raw", true},
    {0x70, "dag-pb", true},
    {0x71, "dag-cbor", true},
    {0x72, "libp2p-key", true},
    {0x78, "git-raw", true},
    {0x7b, "torrent-info", false},
    {0x7c, "torrent-file", false},
    {0x80, "blake3-hashseq", false},
    {0x81, "leofcoin-block", false},
    {0x82, "leofcoin-tx", false},
    {0x83, "leofcoin-pr", false},
    {0x85, "dag-jose", true},
    {0x86, "dag-cose", false},
    {0x90, "eth-block", false},
    {0x91, "eth-block-list", false},
    {0x92, "eth-tx-trie", false},
    {0x93, "eth-tx", false},
    {0x94, "eth-tx-receipt-trie", false},
    {0x95, "eth-tx-receipt", false},
    {0x96, "eth-state-trie", false},
    {0x97, "eth-account-snapshot", false},
    {0x98, "eth-storage-trie", false},
    {0x99, "eth-receipt-log-trie", false},
    {0x9a, "eth-receipt-log", false},
    {0xb0, "bitcoin-block", false},
    {0xb1, "bitcoin-tx", false},
    {0xb2, "bitcoin-witness-commitment", false},
    {0xc0, "zcash-block", false},
    {0xc1, "zcash-tx", false},
    {0xd0, "stellar-block", false},
    {0xd1, "stellar-tx", false},
    {0xe0, "decred-block", false},
    {0xe1, "decred-tx", false},
    {0xf0, "dash-block", false},
    {0xf1, "dash-tx", false},
    {0xfa, "swarm-manifest", false},
    {0xfb, "swarm-feed", false},
    {0xfc, "beeson", false},
    {0x129, "dag-json", true},
    {0x1f0, "swhid-1-snp", false},
    {0x200, "json", true},
    {0xb403, "rdfc-1", false},
    {0xb601, "json-jcs", false},
};

/* Known by name, not listed. */
static const table_entry other_codecs[] = {
    {0x202, "car", false},
    {0x300, "ipns-record", false},
    {0x301, "libp2p-peer-record", false},
    {0x400, "car-index-sorted", false},
    {0x401, "car-multihash-index-sorted", false},
    {0x900, "transport-bitswap", false},
    {0x920, "transport-ipfs-gateway-http", false},
};

/* What `cid hashes` lists: the allow-list; blake2b and blake2s rows are made from their ranges. */
static const table_entry hashes[] = {
    {0x0, "identity", true},
    {0x11, "sha1", true},
    {0x12, "sha2-256", true},
    {0x13, "sha2-512", true},
    {0x14, "sha3-512", true},
    {0x15, "sha3-384", true},
    {0x16, "sha3-256", true},
    {0x17, "sha3-224", true},
    {0x19, "shake-256", true},
    {0x1a, "keccak-224", true},
    {0x1b, "keccak-256", true},
    {0x1c, "keccak-384", true},
    {0x1d, "keccak-512", true},
    {0x1e, "blake3", true},
    {0x56, "dbl-sha2-256", true},
};

#define N_CODECS (sizeof codecs / sizeof *codecs)
#define N_OTHERS (sizeof other_codecs / sizeof *other_codecs)
#define N_HASHES (sizeof hashes / sizeof *hashes)
#define N_BLAKE2B 45 /* 160, 168 … 512 bits */
#define N_BLAKE2S 13 /* 160, 168 … 256 bits */

static const char *const blake2b_names[N_BLAKE2B] = {
    "blake2b-160", "blake2b-168", "blake2b-176", "blake2b-184", "blake2b-192", "blake2b-200", "blake2b-208",
    "blake2b-216", "blake2b-224", "blake2b-232", "blake2b-240", "blake2b-248", "blake2b-256", "blake2b-264",
    "blake2b-272", "blake2b-280", "blake2b-288", "blake2b-296", "blake2b-304", "blake2b-312", "blake2b-320",
    "blake2b-328", "blake2b-336", "blake2b-344", "blake2b-352", "blake2b-360", "blake2b-368", "blake2b-376",
    "blake2b-384", "blake2b-392", "blake2b-400", "blake2b-408", "blake2b-416", "blake2b-424", "blake2b-432",
    "blake2b-440", "blake2b-448", "blake2b-456", "blake2b-464", "blake2b-472", "blake2b-480", "blake2b-488",
    "blake2b-496", "blake2b-504", "blake2b-512",
};
static const char *const blake2s_names[N_BLAKE2S] = {
    "blake2s-160", "blake2s-168", "blake2s-176", "blake2s-184", "blake2s-192", "blake2s-200", "blake2s-208",
    "blake2s-216", "blake2s-224", "blake2s-232", "blake2s-240", "blake2s-248", "blake2s-256",
};

static const table_entry *find_code(const table_entry *table, size_t n, uint64_t code) {
  for (size_t i = 0; i < n; i++)
    if (table[i].code == code) return &table[i];
  return NULL;
}

static const table_entry *find_name(const table_entry *table, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcasecmp(table[i].name, name) == 0) return &table[i];
  return NULL;
}

const char *ipfsa_codec_to_string(uint64_t code) {
  const table_entry *found = find_code(codecs, N_CODECS, code);
  if (!found) found = find_code(other_codecs, N_OTHERS, code);
  return found ? found->name : NULL;
}

bool ipfsa_codec_from_string(const char *name, uint64_t *ret) {
  const table_entry *found = find_name(codecs, N_CODECS, name);
  if (!found) found = find_name(other_codecs, N_OTHERS, name);
  if (found) *ret = found->code;
  return found != NULL;
}

bool ipfsa_codec_row(size_t i, ipfsa_table_row *ret) {
  if (i >= N_CODECS) return false;
  *ret = (ipfsa_table_row){codecs[i].name, codecs[i].code, codecs[i].supported, NULL};
  return true;
}

const char *ipfsa_hash_to_string(uint64_t code) {
  if (code >= IPFSA_HASH_BLAKE2B_MIN && code <= IPFSA_HASH_BLAKE2B_MAX)
    return blake2b_names[code - IPFSA_HASH_BLAKE2B_MIN];
  if (code >= IPFSA_HASH_BLAKE2S_MIN && code <= IPFSA_HASH_BLAKE2S_MAX)
    return blake2s_names[code - IPFSA_HASH_BLAKE2S_MIN];
  const table_entry *found = find_code(hashes, N_HASHES, code);
  return found ? found->name : NULL;
}

bool ipfsa_hash_from_string(const char *name, uint64_t *ret) {
  if (strcasecmp(name, "sha3") == 0) name = "sha3-512"; /* an old alias that Kubo still takes */
  ipfsa_table_row row;
  for (size_t i = 0; ipfsa_hash_row(i, &row); i++)
    if (strcasecmp(row.name, name) == 0) {
      *ret = row.code;
      return true;
    }
  return false;
}

bool ipfsa_hash_row(size_t i, ipfsa_table_row *ret) {
  if (i < N_HASHES) *ret = (ipfsa_table_row){hashes[i].name, hashes[i].code, true, NULL};
  else if ((i -= N_HASHES) < N_BLAKE2B)
    *ret = (ipfsa_table_row){blake2b_names[i], IPFSA_HASH_BLAKE2B_MIN + i, true, NULL};
  else if ((i -= N_BLAKE2B) < N_BLAKE2S)
    *ret = (ipfsa_table_row){blake2s_names[i], IPFSA_HASH_BLAKE2S_MIN + i, true, NULL};
  else return false;
  return true;
}
