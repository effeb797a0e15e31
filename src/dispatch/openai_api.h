/* GET /v1/models, which vLLM, SGLang and every server of that style answer. Threads: as drivers. */
#ifndef IPFSA_DISPATCH_OPENAI_API_H
#define IPFSA_DISPATCH_OPENAI_API_H

#include "dispatch/driver.h"

/* The entries; *ret: json_decref. A URL that ends in /v1 is meant as well. E_NOT_SUPPORTED: there is no such list. */
ipfsa_status ipfsa_openai_models(ipfsa_delivery *delivery, json_t **ret, ipfsa_error *err);
/* GET /health: 200. E_NOT_SUPPORTED, naming `server`: there is no such path. */
ipfsa_status ipfsa_openai_is_healthy(ipfsa_delivery *delivery, const char *server, bool *ret, ipfsa_error *err);
const json_t *ipfsa_openai_find(const json_t *models, const char *id); /* borrowed; NULL */
/* "a, b and 3 more", cut. */
void ipfsa_openai_names(const json_t *models, ipfsa_buf *out);
/* Is the content an adapter (LoRA) for another model? */
bool ipfsa_delivery_is_adapter(const ipfsa_delivery *delivery);
/* Loads and, where it has another path, first unloads an adapter, by the calls that vLLM and SGLang share but for their prefix ("/v1" or ""). */
ipfsa_status ipfsa_openai_load_adapter(ipfsa_delivery *delivery, const char *prefix, ipfsa_error *err);

#endif
