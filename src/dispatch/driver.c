#include "dispatch/driver.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 2000

const ipfsa_driver *ipfsa_driver_find(const char *kind) {
  static const ipfsa_driver *const drivers[] = {&ipfsa_driver_path,     &ipfsa_driver_shm,    &ipfsa_driver_ollama, &ipfsa_driver_llamacpp, &ipfsa_driver_triton,
                                                &ipfsa_driver_mlserver, &ipfsa_driver_sglang, &ipfsa_driver_vllm,     &ipfsa_driver_openai};
  for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
    if (strcmp(drivers[i]->kind, kind) == 0) return drivers[i];
  return NULL;
}

void ipfsa_placed_release(ipfsa_placed *placed) {
  ipfsa_free(placed->path);
  ipfsa_free(placed->server_path);
  *placed = (ipfsa_placed){0};
}

const ipfsa_model_file *ipfsa_delivery_find(const ipfsa_delivery *d, const char *path) {
  for (size_t i = 0; i < d->n_files; i++)
    if (strcmp(d->files[i].path, path) == 0) return &d->files[i];
  return NULL;
}

ipfsa_status ipfsa_delivery_publish(ipfsa_delivery *d, ipfsa_place_style style, ipfsa_error *err) {
  ipfsa_status status = d->calls->publish(d->ctx, style, &d->placed, err);
  if (status) return status;
  d->transferred = d->placed.changed;
  d->way = d->placed.changed ? d->placed.way == IPFSA_WAY_REFLINK ? "reflink" : d->placed.way == IPFSA_WAY_LINK ? "link" : "copy" : "";
  d->bytes = d->placed.bytes;
  return IPFSA_OK;
}

ipfsa_status ipfsa_delivery_is_ready(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  uint64_t before = ipfsa_clock_monotonic_ns();
  ipfsa_status status = d->driver->probe(d, ret, err);
  d->health_ns = ipfsa_clock_monotonic_ns() - before;
  return status;
}

ipfsa_status ipfsa_delivery_await(ipfsa_delivery *d, const char *what, ipfsa_error *err) {
  uint64_t end = ipfsa_clock_monotonic_ns() + d->server->timeout_ms * 1000000, pause = FIRST_PAUSE_MS;
  for (;;) {
    bool ready = false;
    ipfsa_status status = ipfsa_delivery_is_ready(d, &ready, err);
    if (status || ready) return status;
    uint64_t now = ipfsa_clock_monotonic_ns();
    if (now >= end)
      return ipfsa_fail(err, IPFSA_E_TIMEOUT, "%s is not ready after %llu s: %s; see the server's log, or give the endpoint a longer timeout", d->model,
                        (unsigned long long)(d->server->timeout_ms / 1000), what);
    status = ipfsa_server_pause(d->server, pause < (end - now) / 1000000 ? pause : (end - now) / 1000000 + 1, err);
    if (status) return status;
    pause = pause * 2 < LAST_PAUSE_MS ? pause * 2 : LAST_PAUSE_MS;
  }
}
