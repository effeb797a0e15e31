/* GGUF, versions 2 and 3, one file: the rules of the C reader, and the required key. Source: ggml-org/ggml, docs/gguf.md and src/gguf.cpp. Threads: any. */
#ifndef IPFSA_CHECKPOINT_GGUF_H
#define IPFSA_CHECKPOINT_GGUF_H

#include "base/source.h"
#include "checkpoint/pairs.h"
#include "checkpoint/tensors.h"
#include "checkpoint/window.h"

#define IPFSA_MAX_GGUF_PAIRS (1u << 20)     /* metadata; the largest models have a hundred */
#define IPFSA_MAX_GGUF_KEY 65535            /* bytes */
#define IPFSA_MAX_GGUF_TEXT (1u << 30)      /* bytes of a text */
#define IPFSA_MAX_GGUF_ITEMS (1u << 30)     /* of an array */
#define IPFSA_MAX_GGUF_NAME 63              /* bytes of a tensor's name: the C reader's buffer has 64 */
#define IPFSA_MAX_GGUF_DIMS 4

typedef struct ipfsa_gguf {
  ipfsa_tensors tensors;
  uint64_t data; /* where bytes of tensors begin */
  uint64_t alignment;
  bool has_architecture, has_quantization, is_quantized;
  bool is_split; /* split.count is there, and over 0; without it the others mean nothing */
  uint64_t split_no, split_count, split_tensors;
} ipfsa_gguf;

/* *ret and *metadata (values as texts; arrays as "[N × type]") are zeroed before; on failure they hold nothing. */
ipfsa_status ipfsa_gguf_parse(ipfsa_source *source, uint64_t size, ipfsa_gguf *ret, ipfsa_pairs *metadata, ipfsa_error *err);

/* gguf_values.c: one key and its value. */
ipfsa_status ipfsa_gguf_read_pair(ipfsa_window *w, ipfsa_gguf *g, ipfsa_pairs *metadata, ipfsa_error *err);
/* A text's length, within the file and max. */
ipfsa_status ipfsa_gguf_read_len(ipfsa_window *w, const char *what, uint64_t max, uint64_t *ret, ipfsa_error *err);

#endif
