/* Servers in containers: image, command, port, place of the model in it, probe. Pure but for the probe. Threads: any. */
#ifndef IPFSA_DISPATCH_SERVING_H
#define IPFSA_DISPATCH_SERVING_H

#include "dispatch/driver.h"

#define IPFSA_MAX_SERVING_WORDS 16 /* of a line of our own table; the longest has 8 */

typedef struct ipfsa_serving {
  const char *kind;
  const char *image;       /* NULL: its makers publish none that could be a default */
  uint16_t port;
  const char *models_dir;  /* in the container; NULL: it is uploaded to */
  bool wants_root;         /* its image is made for root and writes beside the program */
  uint64_t shm_size;       /* bytes; 0: the usual */
} ipfsa_serving;
const ipfsa_serving *ipfsa_serving_find(const char *kind); /* NULL */

/* What starts it: words as the table has them, "%P" being the path of the model in the container and "%N" its name. */
typedef struct ipfsa_serving_words {
  char *entrypoint[IPFSA_MAX_SERVING_WORDS], *command[IPFSA_MAX_SERVING_WORDS];
  size_t n_entrypoint, n_command;
} ipfsa_serving_words;
/* The words of a line, behind the *n that are there. E_LIMIT; what was split until then is the caller's. */
ipfsa_status ipfsa_serving_split(const char *line, const char *path, const char *name, char *words[IPFSA_MAX_SERVING_WORDS], size_t *n, ipfsa_error *err);
/* path: of the model in the container; name: that it is served under. */
ipfsa_status ipfsa_serving_words_make(const ipfsa_serving *serving, const char *path, const char *name, ipfsa_serving_words *ret, ipfsa_error *err);
void ipfsa_serving_words_release(ipfsa_serving_words *words);
/* The file that llama.cpp is to open: of a folder the first GGUF, in the order of names, that is no projector and no draft; NULL: there is none. */
const ipfsa_model_file *ipfsa_serving_first_gguf(const ipfsa_model_file *files, size_t n);

/* Does the server serve the model under this name? A server that cannot be reached yet, or refuses, is not ready; E_DENIED, E_CANCELLED, E_NOMEM are errors. */
ipfsa_status ipfsa_serving_probe(const ipfsa_serving *serving, ipfsa_server *server, const char *model, bool *ret, ipfsa_error *err);

#endif
