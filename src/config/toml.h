/* The shim over toml++: a document becomes a flat list of keys. The only C++ of the library; no exception leaves it. */
#ifndef IPFSA_CONFIG_TOML_H
#define IPFSA_CONFIG_TOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One key with a value. text: strings as they are, all else as JSON (true, 12, 1.5, lists). Both borrowed for the call. */
typedef int (*ipfsa_toml_cb)(void *ctx, const char *path, const char *text, int is_string, uint32_t line);

/* 0 = ok, 1 = malformed (message and line), 2 = out of memory, 3 = cb stopped, 4 = deeper than max_depth or more than max_keys keys */
int ipfsa_toml_read(const char *text, size_t len, size_t max_depth, size_t max_keys, ipfsa_toml_cb cb, void *ctx, char *ret_message,
                    size_t message_size, uint32_t *ret_line);

#ifdef __cplusplus
}
#endif
#endif
