#include <string.h>

#include "base/error.h"
#include "container/container_inside.h"

static uint64_t number(const json_t *json, const char *key) {
  int64_t v = ipfsa_json_int(json, key);
  return v > 0 ? (uint64_t)v : 0;
}

/* Share of one processor between the two samples, as docker's own client reckons it. */
static double cpu_percent(const json_t *sample) {
  const json_t *now = ipfsa_json_at(sample, "cpu_stats", NULL), *before = ipfsa_json_at(sample, "precpu_stats", NULL);
  double used = (double)number(ipfsa_json_at(now, "cpu_usage", NULL), "total_usage") - (double)number(ipfsa_json_at(before, "cpu_usage", NULL), "total_usage");
  double passed = (double)number(now, "system_cpu_usage") - (double)number(before, "system_cpu_usage");
  uint64_t n_cpus = number(now, "online_cpus");
  if (n_cpus == 0) n_cpus = json_array_size(ipfsa_json_at(now, "cpu_usage", "percpu_usage", NULL));
  return used > 0 && passed > 0 ? used / passed * (double)(n_cpus ? n_cpus : 1) * 100 : 0;
}

/* Without the page cache that would be given back: total_inactive_file in cgroup v1, inactive_file in v2. */
static uint64_t memory_used(const json_t *memory) {
  const json_t *detail = ipfsa_json_at(memory, "stats", NULL);
  uint64_t used = number(memory, "usage"), cache = number(detail, "total_inactive_file");
  if (cache == 0) cache = number(detail, "inactive_file");
  return used > cache ? used - cache : used;
}

static void sum_disk(json_t *list, ipfsa_container_stats *ret) {
  json_t *entry;
  size_t i;
  json_array_foreach(list, i, entry) {
    const char *op = ipfsa_json_text(entry, "op");
    if (*op == 'R' || *op == 'r') ret->disk_read += number(entry, "value");
    if (*op == 'W' || *op == 'w') ret->disk_written += number(entry, "value");
  }
}

static void sum_networks(json_t *networks, ipfsa_container_stats *ret) {
  const char *name;
  json_t *entry;
  json_object_foreach(networks, name, entry) {
    ret->net_received += number(entry, "rx_bytes");
    ret->net_sent += number(entry, "tx_bytes");
  }
}

ipfsa_status ipfsa_container_get_stats(ipfsa_engine *engine, const char *name, ipfsa_container_stats *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *inspect = NULL, *sample = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &inspect, err);
  if (status) return status;
  if (!ipfsa_json_bool(ipfsa_json_at(inspect, "State", NULL), "Running")) return ipfsa_fail(err, IPFSA_E_BUSY, "container %s does not run, so it uses nothing", name);
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_container_target(&target, name, "/stats?stream=0");
  status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, &sample, NULL, err);
  if (status) return status;
  const json_t *memory = ipfsa_json_at(sample, "memory_stats", NULL);
  ipfsa_container_stats stats = {.cpu_percent = cpu_percent(sample), .memory_bytes = memory_used(memory), .memory_limit = number(memory, "limit"),
                                 .pids = number(ipfsa_json_at(sample, "pids_stats", NULL), "current")};
  sum_networks(ipfsa_json_at(sample, "networks", NULL), &stats);
  sum_disk(ipfsa_json_at(sample, "blkio_stats", "io_service_bytes_recursive", NULL), &stats);
  *ret = stats;
  return IPFSA_OK;
}
