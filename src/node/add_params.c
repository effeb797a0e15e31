#include "node/add_params.h"

#include "unixfs/hamt.h"

#define DEFAULT_INLINE_LIMIT 32
#define DEFAULT_FILE_LINKS 174

static ipfsa_status choose_hash(const ipfsa_config *config, const ipfsa_add_options *o, ipfsa_import_params *p, ipfsa_error *err) {
  const char *name = o->hash ? o->hash : ipfsa_config_string(config, "import.hash");
  if (!ipfsa_hash_from_string(name, &p->hash))
    return ipfsa_fail(err, IPFSA_E_INVALID, "%sunrecognized hash function: \"%s\"", o->hash ? "" : "import.hash of the configuration: ", name);
  bool explicit_v0 = o->cid_version_1 == IPFSA_OFF;
  p->cid_version = o->cid_version_1 == IPFSA_UNSET ? (unsigned)ipfsa_config_int(config, "import.cid_version") : o->cid_version_1 == IPFSA_ON;
  if (p->hash == IPFSA_HASH_SHA2_256 || p->cid_version == 1) return IPFSA_OK;
  if (explicit_v0) return ipfsa_fail(err, IPFSA_E_INVALID, "CIDv0 only supports sha2-256");
  p->cid_version = 1;
  return IPFSA_OK;
}

static ipfsa_status choose_leaves(const ipfsa_config *config, const ipfsa_add_options *o, ipfsa_import_params *p, ipfsa_error *err) {
  bool meta = o->preserve_mode || o->preserve_mtime || o->mode || o->mtime;
  ipfsa_option raw = o->raw_leaves;
  if (meta && raw == IPFSA_ON) return ipfsa_fail(err, IPFSA_E_INVALID, "raw-leaves can't be used with UnixFS metadata like mode or modification time");
  if (o->nocopy && raw == IPFSA_OFF) return ipfsa_fail(err, IPFSA_E_INVALID, "nocopy option requires '--raw-leaves' to be enabled as well");
  if (o->nocopy && meta) return ipfsa_fail(err, IPFSA_E_INVALID, "--nocopy needs raw leaves, which carry no mode or mtime");
  if (raw == IPFSA_UNSET && ipfsa_config_is_set(config, "import.raw_leaves") && *ipfsa_config_string(config, "import.raw_leaves"))
    raw = ipfsa_config_bool(config, "import.raw_leaves") ? IPFSA_ON : IPFSA_OFF;
  if (raw == IPFSA_UNSET && p->cid_version == 1) raw = IPFSA_ON;
  if (o->nocopy) raw = IPFSA_ON;
  p->raw_leaves = raw == IPFSA_ON && !meta;
  return IPFSA_OK;
}

static ipfsa_status choose_limits(const ipfsa_config *config, const ipfsa_add_options *o, ipfsa_import_params *p, ipfsa_error *err) {
  int64_t width = o->max_file_links ? o->max_file_links : ipfsa_config_int(config, "import.file_max_links");
  int64_t entries = o->max_directory_links ? o->max_directory_links : ipfsa_config_int(config, "import.directory_max_links");
  int64_t fanout = o->max_hamt_fanout ? o->max_hamt_fanout : ipfsa_config_int(config, "import.hamt_max_fanout");
  p->max_file_links = width <= 0 || width > UINT32_MAX ? DEFAULT_FILE_LINKS : (uint32_t)width;
  if (p->max_file_links < 2 && p->layout == IPFSA_LAYOUT_BALANCED)
    return ipfsa_fail(err, IPFSA_E_INVALID, "a balanced file needs at least 2 links a node: --max-file-links=2");
  p->max_directory_links = entries < 0 ? 0 : entries > UINT32_MAX ? UINT32_MAX : (uint32_t)entries;
  if (!ipfsa_hamt_fanout_ok((uint64_t)fanout))
    return ipfsa_fail(err, IPFSA_E_INVALID, "HAMT fanout must be a power of 2, between 8 and 1024 (got %lld)", (long long)fanout);
  p->hamt_fanout = (uint32_t)fanout;
  p->hamt_threshold = ipfsa_config_bytes(config, "import.hamt_threshold");
  const char *estimate = ipfsa_config_string(config, "import.hamt_estimation");
  p->hamt_estimate = strcmp(estimate, "block") == 0 ? IPFSA_HAMT_BLOCK : strcmp(estimate, "disabled") == 0 ? IPFSA_HAMT_DISABLED : IPFSA_HAMT_LINKS;
  if (!o->inline_) return IPFSA_OK;
  int64_t limit = o->inline_limit ? o->inline_limit : DEFAULT_INLINE_LIMIT;
  if (limit < 0 || limit > IPFSA_MAX_DIGEST)
    return ipfsa_fail(err, IPFSA_E_INVALID, "inline-limit %lld exceeds maximum allowed size of %d bytes", (long long)limit, IPFSA_MAX_DIGEST);
  p->inline_limit = (uint32_t)limit;
  return IPFSA_OK;
}

static ipfsa_status choose(const ipfsa_config *config, const ipfsa_add_options *o, ipfsa_import_params *ret, ipfsa_error *err) {
  ipfsa_import_params p = {0};
  const char *chunker = o->chunker && *o->chunker ? o->chunker : ipfsa_config_string(config, "import.chunker");
  ipfsa_status status = choose_hash(config, o, &p, err);
  if (status == IPFSA_OK) status = choose_leaves(config, o, &p, err);
  if (status == IPFSA_OK) status = ipfsa_chunker_parse(chunker, &p.chunker, err);
  bool trickle = o->trickle == IPFSA_UNSET ? strcmp(ipfsa_config_string(config, "import.dag_layout"), "trickle") == 0 : o->trickle == IPFSA_ON;
  p.layout = trickle ? IPFSA_LAYOUT_TRICKLE : IPFSA_LAYOUT_BALANCED;
  if (status == IPFSA_OK) status = choose_limits(config, o, &p, err);
  if (status == IPFSA_OK) *ret = p;
  return status;
}

/* A profile is tried on a copy of the configuration. */
ipfsa_status ipfsa_add_params(const ipfsa_config *config, const ipfsa_add_options *o, ipfsa_import_params *ret, ipfsa_error *err) {
  if (!o->profile) return choose(config, o, ret, err);
  ipfsa_config *copy = NULL;
  size_t len = 0;
  const char *text = ipfsa_config_text(config, &len);
  ipfsa_status status = ipfsa_config_parse(text, len, "the configuration", &copy, err);
  if (status == IPFSA_OK) status = ipfsa_config_apply_profile(copy, o->profile, err);
  if (status == IPFSA_OK) status = choose(copy, o, ret, err);
  ipfsa_config_free(copy);
  return status;
}
