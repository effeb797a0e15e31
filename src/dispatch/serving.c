#include "dispatch/serving.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "dispatch/openai_api.h"
#include "dispatch/repository.h"

#define GIB ((uint64_t)1 << 30)

static const ipfsa_serving servings[] = {
    {"llamacpp", "ghcr.io/ggml-org/llama.cpp:server", 8080, "/models", false, 0},
    {"ollama", "ollama/ollama:latest", 11434, NULL, true, 0},
    {"vllm", "vllm/vllm-openai:latest", 8000, "/models", true, GIB},
    {"sglang", "lmsysorg/sglang:latest", 30000, "/models", true, GIB},
    {"triton", NULL, 8000, "/models", true, GIB},
    {"mlserver", "seldonio/mlserver:1.7.1", 8080, "/mnt/models", false, 0},
};

/* The entry point is ours where images of one server have had several. Words separated by single spaces; no word has one. */
static const struct {
  const char *kind, *entrypoint, *command;
} lines[] = {
    {"llamacpp", "", "-m %P --alias %N --host 0.0.0.0 --port 8080"}, /* the image's entry point is the server */
    {"ollama", "", "serve"},
    {"vllm", "vllm serve", "%P --served-model-name %N --host 0.0.0.0 --port 8000"},
    {"sglang", "python3 -m sglang.launch_server", "--model-path %P --served-model-name %N --host 0.0.0.0 --port 30000"},
    {"triton", "tritonserver", "--model-repository=/models --model-control-mode=explicit --load-model=%N"},
    {"mlserver", "mlserver", "start /mnt/models"},
};

const ipfsa_serving *ipfsa_serving_find(const char *kind) {
  for (size_t i = 0; i < sizeof servings / sizeof *servings; i++)
    if (strcmp(servings[i].kind, kind) == 0) return &servings[i];
  return NULL;
}

static char *fill_in(const char *word, size_t len, const char *path, const char *name) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  size_t n;
  for (size_t i = 0; i < len; i++) {
    const char *value = i + 1 < len && word[i] == '%' ? word[i + 1] == 'P' ? path : word[i + 1] == 'N' ? name : NULL : NULL;
    if (value) ipfsa_buf_str(&text, value), i++;
    else ipfsa_buf_u8(&text, (uint8_t)word[i]);
  }
  ipfsa_buf_u8(&text, '\0');
  return text.failed ? NULL : (char *)ipfsa_buf_take(&text, &n);
}

ipfsa_status ipfsa_serving_split(const char *line, const char *path, const char *name, char *words[IPFSA_MAX_SERVING_WORDS], size_t *n, ipfsa_error *err) {
  while (*line) {
    size_t len = strcspn(line, " ");
    if (*n == IPFSA_MAX_SERVING_WORDS) return ipfsa_fail(err, IPFSA_E_LIMIT, "a command of over %d words: \"%.100s\"", IPFSA_MAX_SERVING_WORDS, line);
    if (!(words[*n] = fill_in(line, len, path, name))) return ipfsa_fail_nomem(err);
    ++*n;
    line += len + (line[len] == ' ');
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_serving_words_make(const ipfsa_serving *serving, const char *path, const char *name, ipfsa_serving_words *ret, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < sizeof lines / sizeof *lines && status == IPFSA_OK; i++) {
    if (strcmp(lines[i].kind, serving->kind) != 0) continue;
    status = ipfsa_serving_split(lines[i].entrypoint, path, name, ret->entrypoint, &ret->n_entrypoint, err);
    if (status == IPFSA_OK) status = ipfsa_serving_split(lines[i].command, path, name, ret->command, &ret->n_command, err);
  }
  if (status) ipfsa_serving_words_release(ret);
  return status;
}

void ipfsa_serving_words_release(ipfsa_serving_words *w) {
  for (size_t i = 0; i < w->n_entrypoint; i++) ipfsa_free(w->entrypoint[i]);
  for (size_t i = 0; i < w->n_command; i++) ipfsa_free(w->command[i]);
  *w = (ipfsa_serving_words){0};
}

const ipfsa_model_file *ipfsa_serving_first_gguf(const ipfsa_model_file *files, size_t n) {
  const ipfsa_model_file *first = NULL;
  for (size_t i = 0; i < n; i++) {
    size_t len = strlen(files[i].path);
    bool is_model = len > 5 && strcmp(files[i].path + len - 5, ".gguf") == 0 && !strchr(files[i].path, '/') && !strstr(files[i].path, "mmproj") && strncmp(files[i].path, "mtp-", 4) != 0;
    if (is_model && (!first || strcmp(files[i].path, first->path) < 0)) first = &files[i];
  }
  return first;
}

static ipfsa_status ask(const ipfsa_serving *serving, ipfsa_server *server, const char *model, bool *ret, ipfsa_error *err) {
  ipfsa_delivery d = {.driver = ipfsa_driver_find(serving->kind), .server = server, .model = model};
  IPFSA_AUTO_JSON_DROP json_t *models = NULL;
  int answered = 0;
  if (strcmp(serving->kind, "triton") == 0 || strcmp(serving->kind, "mlserver") == 0) return ipfsa_repository_probe(&d, ret, err);
  if (strcmp(serving->kind, "ollama") == 0) {
    ipfsa_status status = ipfsa_server_ask(server, &(ipfsa_ask){.target = "/api/version"}, NULL, NULL, err);
    *ret = status == IPFSA_OK;
    return status;
  }
  ipfsa_status status = ipfsa_server_ask(server, &(ipfsa_ask){.target = "/health", .may_refuse = true}, &answered, NULL, err);
  if (status || answered != 200) return status;
  status = ipfsa_openai_models(&d, &models, err);
  *ret = status == IPFSA_OK && ipfsa_openai_find(models, model);
  return status;
}

ipfsa_status ipfsa_serving_probe(const ipfsa_serving *serving, ipfsa_server *server, const char *model, bool *ret, ipfsa_error *err) {
  ipfsa_error why = {0};
  *ret = false;
  ipfsa_status status = ask(serving, server, model, ret, &why);
  bool is_final = status == IPFSA_E_DENIED || status == IPFSA_E_CANCELLED || status == IPFSA_E_NOMEM;
  if (is_final) *err = why;
  return is_final ? status : IPFSA_OK;
}
