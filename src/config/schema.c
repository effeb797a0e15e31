#include "config/schema.h"

#include <errno.h>
#include <jansson.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "codec/json.h"

#define MAX_I64 INT64_MAX

const ipfsa_config_key ipfsa_config_schema[] = {
    {"general.debug", IPFSA_CONFIG_BOOL, "false", 0, 0, NULL, NULL, "say more about what is done"},
    {"general.log_level", IPFSA_CONFIG_CHOICE, "INFO", 0, 0, "DEBUG|INFO|WARNING|ERROR|CRITICAL", NULL, "least level that is logged"},
    {"store.max_size", IPFSA_CONFIG_BYTES, "0", 0, MAX_I64, NULL, "Datastore.StorageMax", "hard limit of the repo in bytes, 0 = none"},
    {"store.max_pack_size", IPFSA_CONFIG_BYTES, "4GiB", 65536, (int64_t)512 << 30, NULL, NULL, "a pack that is larger is followed by a new one"},
    {"store.gc_grace", IPFSA_CONFIG_INT, "3600", 0, MAX_I64, NULL, NULL, "seconds that the lease of a dead process still protects its blocks"},
    {"filestore.enabled", IPFSA_CONFIG_BOOL, "false", 0, 0, NULL, "Experimental.FilestoreEnabled", "allow add --nocopy"},
    {"import.cid_version", IPFSA_CONFIG_INT, "0", 0, 1, NULL, "Import.CidVersion", "0 or 1"},
    {"import.raw_leaves", IPFSA_CONFIG_FLAG, "", 0, 0, NULL, "Import.UnixFSRawLeaves", "unset: on with CID version 1"},
    {"import.chunker", IPFSA_CONFIG_CHUNKER, "size-262144", 0, 0, NULL, "Import.UnixFSChunker", "size-N, rabin-MIN-AVG-MAX or buzhash"},
    {"import.hash", IPFSA_CONFIG_STRING, "sha2-256", 0, 0, NULL, "Import.HashFunction", "hash function, see 'cid hashes'"},
    {"import.file_max_links", IPFSA_CONFIG_INT, "174", 1, 65536, NULL, "Import.UnixFSFileMaxLinks", "links of a file node"},
    {"import.directory_max_links", IPFSA_CONFIG_INT, "0", 0, 65536, NULL, "Import.UnixFSDirectoryMaxLinks", "entries of a basic directory, 0 = by size alone"},
    {"import.hamt_max_fanout", IPFSA_CONFIG_INT, "256", 8, 1024, NULL, "Import.UnixFSHAMTDirectoryMaxFanout", "a power of two, 8 to 1024"},
    {"import.hamt_threshold", IPFSA_CONFIG_BYTES, "262144", 0, MAX_I64, NULL, "Import.UnixFSHAMTDirectorySizeThreshold", "size over which a directory becomes a HAMT"},
    {"import.hamt_estimation", IPFSA_CONFIG_CHOICE, "links", 0, 0, "links|block|disabled", "Import.UnixFSHAMTDirectorySizeEstimation", "how that size is reckoned"},
    {"import.dag_layout", IPFSA_CONFIG_CHOICE, "balanced", 0, 0, "balanced|trickle", "Import.UnixFSDAGLayout", "layout of files"},
    {"cache.enabled", IPFSA_CONFIG_BOOL, "true", 0, 0, NULL, NULL, "keep fetched content"},
    {"cache.max_size_mb", IPFSA_CONFIG_INT, "500", 0, MAX_I64, NULL, NULL, "size of that cache in megabytes"},
    {"cache.path", IPFSA_CONFIG_STRING, "./cache", 0, 0, NULL, NULL, "where the Python package keeps files"},
    {"endpoints.default", IPFSA_CONFIG_STRING, "local", 0, 0, NULL, NULL, "endpoint that is used when none is named"},
    {"docker.enable", IPFSA_CONFIG_BOOL, "false", 0, 0, NULL, NULL, "use a container engine"},
    {"docker.timeout", IPFSA_CONFIG_INT, "60", 0, MAX_I64, NULL, NULL, "seconds to wait for the engine"},
    {"docker.registries", IPFSA_CONFIG_LIST, "[]", 0, 0, NULL, NULL, "registries the marketplace lists: [http://]HOST[:PORT][/NAME]"},
    {"docker.allowed_registries", IPFSA_CONFIG_LIST, "[]", 0, 0, NULL, NULL, "hosts images may come from, empty = any"},
    {"docker.host", IPFSA_CONFIG_STRING, "", 0, 0, NULL, NULL, "the engine: unix:///path, tcp://host:port or ssh://user@host; empty: the usual ones"},
    {"docker.allow_dangerous", IPFSA_CONFIG_LIST, "[]", 0, 0, NULL, NULL, "what containers may do although it reaches the host, see docs/containers.md"},
    {"marketplace.sources", IPFSA_CONFIG_LIST, "[\"curated\",\"local\",\"engine\",\"registries\"]", 0, 0, NULL, NULL, "sources a search asks"},
    {"http.private_origins", IPFSA_CONFIG_LIST, "[]", 0, 0, NULL, NULL, "origins on private addresses that may be asked: http[s]://HOST[:PORT]"},
    {"p2p.enabled", IPFSA_CONFIG_BOOL, "true", 0, 0, NULL, NULL, "talk to other nodes"},
    {"api.address", IPFSA_CONFIG_STRING, "/ip4/127.0.0.1/tcp/5001", 0, 0, NULL, "Addresses.API", "where the RPC listens"},
    {"gateway.address", IPFSA_CONFIG_STRING, "/ip4/127.0.0.1/tcp/8080", 0, 0, NULL, "Addresses.Gateway", "where the gateway listens"},
};
const size_t ipfsa_config_n_keys = sizeof ipfsa_config_schema / sizeof *ipfsa_config_schema;

/* Keys of [endpoints.NAME]. Others are kept and left alone. */
static const ipfsa_config_key endpoint_schema[] = {
    {"kind", IPFSA_CONFIG_CHOICE, "", 0, 0, "path|shm|ollama|llamacpp|triton|mlserver|sglang|vllm|openai", NULL, "what serves there"},
    {"url", IPFSA_CONFIG_STRING, "", 0, 0, NULL, NULL, "http[s]://HOST[:PORT][/PREFIX]; empty: host and port"},
    {"host", IPFSA_CONFIG_STRING, "localhost", 0, 0, NULL, NULL, "where there is no url"},
    {"port", IPFSA_CONFIG_INT, "0", 0, 65535, NULL, NULL, "where there is no url; 0 = the usual one of the kind"},
    {"model_dir", IPFSA_CONFIG_STRING, "", 0, 0, NULL, NULL, "folder that models are published into"},
    {"server_dir", IPFSA_CONFIG_STRING, "", 0, 0, NULL, NULL, "the same folder as the server has it; empty: model_dir"},
    {"socket", IPFSA_CONFIG_STRING, "", 0, 0, NULL, NULL, "where the receiver of kind shm listens: an absolute path"},
    {"sealed", IPFSA_CONFIG_BOOL, "false", 0, 0, NULL, NULL, "kind shm: files go as memory that nobody can change any more"},
    {"layout", IPFSA_CONFIG_CHOICE, "plain", 0, 0, "plain|huggingface", NULL, "of model_dir: MODEL, or the cache of the Hugging Face hub"},
    {"token_env", IPFSA_CONFIG_STRING, "", 0, 0, NULL, NULL, "environment variable that holds the token"},
    {"api_key", IPFSA_CONFIG_STRING, "", 0, 0, NULL, NULL, "the token itself; never shown with others"},
    {"timeout", IPFSA_CONFIG_SECONDS, "60", 0, 86400, NULL, NULL, "seconds until the model must be ready"},
};

const ipfsa_config_key *ipfsa_config_endpoint_key(const char *name) {
  const char *key = strrchr(name, '.');
  for (size_t i = 0; key && strncmp(name, "endpoints.", 10) == 0 && key > name + 9 && i < sizeof endpoint_schema / sizeof *endpoint_schema; i++)
    if (strcmp(endpoint_schema[i].name, key + 1) == 0) return &endpoint_schema[i];
  return NULL;
}

bool ipfsa_config_owns_section(const char *section, size_t len) {
  static const char *const owned[] = {"store", "filestore", "import", "api", "gateway", "http", "marketplace"};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
    if (strlen(owned[i]) == len && memcmp(owned[i], section, len) == 0) return true;
  return false;
}

size_t ipfsa_config_find(const char *name) {
  for (size_t i = 0; i < ipfsa_config_n_keys; i++)
    if (strcmp(ipfsa_config_schema[i].name, name) == 0) return i;
  return SIZE_MAX;
}

size_t ipfsa_config_find_kubo(const char *name) {
  for (size_t i = 0; i < ipfsa_config_n_keys; i++)
    if (ipfsa_config_schema[i].kubo && strcasecmp(ipfsa_config_schema[i].kubo, name) == 0) return i;
  return SIZE_MAX;
}

#define MAX_COMPARED 63 /* characters; longer names are no slips */

static size_t distance(const char *a, const char *b) {
  size_t cost[MAX_COMPARED + 1], n = strlen(b);
  if (n > MAX_COMPARED || strlen(a) > MAX_COMPARED) return SIZE_MAX;
  for (size_t j = 0; j <= n; j++) cost[j] = j;
  for (; *a; a++) {
    size_t diagonal = cost[0]++;
    for (size_t j = 1; j <= n; j++) {
      size_t best = diagonal + (*a != b[j - 1]);
      if (cost[j] + 1 < best) best = cost[j] + 1;
      if (cost[j - 1] + 1 < best) best = cost[j - 1] + 1;
      diagonal = cost[j];
      cost[j] = best;
    }
  }
  return cost[n];
}

const char *ipfsa_config_nearest(const char *name) {
  const char *best = NULL;
  size_t least = 5; /* further off it is no slip of the pen */
  for (size_t i = 0; i < ipfsa_config_n_keys; i++) {
    const char *names[2] = {ipfsa_config_schema[i].name, ipfsa_config_schema[i].kubo};
    for (int k = 0; k < 2; k++) {
      size_t far = names[k] ? distance(name, names[k]) : SIZE_MAX;
      if (far < least) least = far, best = names[k];
    }
  }
  return best;
}

bool ipfsa_config_parse_bytes(const char *text, uint64_t *ret) {
  static const struct { const char *unit; uint64_t factor; } units[] = {{"", 1}, {"B", 1}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000},
      {"TB", 1000000000000}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000}, {"T", 1000000000000}, {"KIB", 1024}, {"MIB", 1 << 20},
      {"GIB", 1 << 30}, {"TIB", (uint64_t)1 << 40}};
  char *end = NULL;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  double v = strtod(text, &end);
  while (*end == ' ') end++;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strcasecmp(end, units[i].unit) != 0) continue;
    double bytes = v * (double)units[i].factor;
    if (errno || bytes > 9e18) return false;
    *ret = strpbrk(text, ".eE") && *end == '\0' ? (uint64_t)bytes : *end ? (uint64_t)bytes : strtoull(text, NULL, 10);
    return true;
  }
  return false;
}

static bool is_choice(const char *choices, const char *text) {
  size_t len = strlen(text);
  for (const char *p = choices; *p; p += strcspn(p, "|"), p += *p == '|')
    if (strcspn(p, "|") == len && memcmp(p, text, len) == 0) return true;
  return false;
}

static bool is_chunker(const char *text) {
  static const char *const starts[] = {"size-", "rabin-"};
  for (size_t i = 0; i < 2; i++)
    if (strncmp(text, starts[i], strlen(starts[i])) == 0) {
      const char *p = text + strlen(starts[i]);
      if (!*p) return false;
      return p[strspn(p, i ? "0123456789-" : "0123456789")] == '\0';
    }
  return strcmp(text, "buzhash") == 0 || strcmp(text, "rabin") == 0;
}

/* boxo: 1 to 2 MiB less 256 bytes. */
static bool size_is_wrong(const char *text) {
  if (strncmp(text, "size-", 5) != 0) return false;
  unsigned long long v = strtoull(text + 5, NULL, 10);
  return v < 1 || v > 2096896 || strlen(text) > 16;
}

static ipfsa_status wrong(const ipfsa_config_key *key, const char *text, const char *expected, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "%s: \"%.100s\" is no value of this key; expected %s", key->kubo ? key->kubo : key->name, text, expected);
}

static ipfsa_status check_number(const ipfsa_config_key *key, const char *text, char **ret, ipfsa_error *err) {
  char *end = NULL;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (end == text || *end || errno) return wrong(key, text, "a whole number", err);
  if (v < key->min || v > key->max)
    return ipfsa_fail(err, IPFSA_E_INVALID, "%s: %lld is outside %lld..%lld", key->name, v, (long long)key->min, (long long)key->max);
  if (strcmp(key->name, "import.hamt_max_fanout") == 0 && (v & (v - 1)) != 0)
    return ipfsa_fail(err, IPFSA_E_INVALID, "%s: %lld is no power of two", key->name, v);
  *ret = ipfsa_strdup(text);
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}

static ipfsa_status check_seconds(const ipfsa_config_key *key, const char *text, char **ret, ipfsa_error *err) {
  char *end = NULL;
  double v = strtod(text, &end);
  if (end == text || *end || !(v >= (double)key->min && v <= (double)key->max)) {
    char expected[80];
    snprintf(expected, sizeof expected, "seconds from %lld to %lld", (long long)key->min, (long long)key->max);
    return wrong(key, text, expected, err);
  }
  *ret = ipfsa_strdup(text);
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* A list is written again without blanks, so that one value has one text. */
static ipfsa_status check_list(const ipfsa_config_key *key, const char *text, char **ret, ipfsa_error *err) {
  json_t *list = NULL, *item;
  ipfsa_error why = {0};
  if (ipfsa_json_load(ipfsa_bytes_str(text), key->name, &list, &why) == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  bool good = json_is_array(list);
  size_t i, n = json_array_size(list);
  json_array_foreach(list, i, item) good = good && json_string_length(item) > 0;
  bool fits = n <= IPFSA_MAX_CONFIG_LIST;
  char *compact = good && fits ? ipfsa_json_print(list, JSON_COMPACT) : NULL;
  json_decref(list);
  if (!good) return wrong(key, text, "a list of texts such as [\"a\", \"b\"]", err);
  if (!fits) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s: %zu texts; a list has at most %d", key->name, n, IPFSA_MAX_CONFIG_LIST);
  if (!compact) return ipfsa_fail_nomem(err);
  *ret = compact;
  return IPFSA_OK;
}

/* A number that may be written without quotation marks: TOML has no 09. */
static const char *without_zeros(const char *text) {
  if (text[strspn(text, "0123456789")]) return text;
  while (text[0] == '0' && text[1]) text++;
  return text;
}

ipfsa_status ipfsa_config_check(const ipfsa_config_key *key, const char *text, bool quoted, char **ret, ipfsa_error *err) {
  uint64_t bytes;
  bool boolean = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
  switch (key->type) {
  case IPFSA_CONFIG_BOOL:
    if (quoted || !boolean) return wrong(key, text, "true or false", err);
    break;
  case IPFSA_CONFIG_FLAG:
    if (quoted || !boolean) return wrong(key, text, "true, false or null", err);
    break;
  case IPFSA_CONFIG_INT: return quoted ? wrong(key, text, "a whole number without quotation marks", err) : check_number(key, text, ret, err);
  case IPFSA_CONFIG_BYTES:
    text = without_zeros(text);
    if (!ipfsa_config_parse_bytes(text, &bytes) || (!quoted && text[strspn(text, "0123456789")])) return wrong(key, text, "a size such as 262144, \"256KiB\" or \"10GB\"", err);
    if ((int64_t)bytes < key->min || (int64_t)bytes > key->max)
      return ipfsa_fail(err, IPFSA_E_INVALID, "%s: %llu is outside %lld..%lld", key->name, (unsigned long long)bytes, (long long)key->min, (long long)key->max);
    break;
  case IPFSA_CONFIG_CHOICE:
    if (!quoted || !is_choice(key->choices, text)) return wrong(key, text, key->choices, err);
    break;
  case IPFSA_CONFIG_CHUNKER:
    if (!quoted || !is_chunker(text) || size_is_wrong(text)) return wrong(key, text, "size-N, rabin-MIN-AVG-MAX or buzhash", err);
    break;
  case IPFSA_CONFIG_LIST: return quoted ? wrong(key, text, "a list of texts such as [\"a\", \"b\"]", err) : check_list(key, text, ret, err);
  case IPFSA_CONFIG_SECONDS: return quoted ? wrong(key, text, "a number of seconds without quotation marks", err) : check_seconds(key, text, ret, err);
  case IPFSA_CONFIG_STRING:
    if (!quoted) return wrong(key, text, "text", err);
    break;
  }
  *ret = ipfsa_strdup(text);
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}
