/* The list that needs no network: what people use beside an IPFS node and to serve models. */
#include "base/error.h"
#include "container/market_source.h"

typedef struct curated_row {
  const char *name, *image, *description;
} curated_row;

static const curated_row rows[] = {
    {"ipfs-node", "ipfs/kubo:latest", "IPFS Kubo node"},
    {"ipfs-cluster", "ipfs/ipfs-cluster:latest", "IPFS Cluster"},
    {"ipfs-gateway", "ipfs/go-ipfs:latest", "IPFS Gateway"},
    {"ollama", "ollama/ollama:latest", "Ollama: runs GGUF models behind an HTTP API"},
    {"llama.cpp", "ghcr.io/ggml-org/llama.cpp:server", "llama.cpp server: GGUF models, OpenAI-compatible API"},
    {"vllm", "vllm/vllm-openai:latest", "vLLM: serves safetensors models on GPUs, OpenAI-compatible API"},
    {"sglang", "lmsysorg/sglang:latest", "SGLang: serves language and vision models on GPUs"},
    {"text-generation-inference", "ghcr.io/huggingface/text-generation-inference:latest", "Text Generation Inference of Hugging Face"},
    {"minio", "minio/minio:latest", "MinIO: S3-compatible object store"},
    {"registry", "registry:2", "Distribution: an OCI registry of your own"},
    {"prometheus", "prom/prometheus:latest", "Prometheus: collects and keeps metrics"},
    {"nginx", "nginx:latest", "nginx: web server and reverse proxy"},
};

ipfsa_status ipfsa_market_ask_curated(const ipfsa_market_query *query, ipfsa_market_answer *ret, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < sizeof rows / sizeof *rows && status == IPFSA_OK; i++) {
    const curated_row *row = &rows[i];
    ipfsa_reference reference;
    ipfsa_market_item item = {0};
    if ((status = ipfsa_reference_parse(row->image, strlen(row->image), &reference, err))) break;
    bool found = query->named ? ipfsa_reference_same_name(&reference, query->named)
                              : ipfsa_market_matches(row->name, query->term) || ipfsa_market_matches(row->image, query->term) ||
                                    ipfsa_market_matches(row->description, query->term);
    if (!found) continue;
    status = ipfsa_market_item_init(&item, &reference, row->name, row->description, "curated", err);
    if (status == IPFSA_OK) status = ipfsa_text_list_add(&item.tags, reference.tag, err);
    if (status == IPFSA_OK) status = ipfsa_market_list_merge(&ret->list, &item, err);
    ipfsa_market_item_release(&item);
  }
  return status;
}
