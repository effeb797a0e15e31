/* What unit tests share: cmocka in the order it wants, checks that print the error, temporary folders, vectors. */
#ifndef IPFSA_TESTS_SUPPORT_H
#define IPFSA_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ipfsa/base.h>

/* assert_ok(call): fails the test with the error's sentence. Declare `ipfsa_error err = {0};` before. */
#define assert_ok(call)                                                                            \
  do {                                                                                             \
    ipfsa_status status_ = (call);                                                                 \
    if (status_ != IPFSA_OK) fail_msg("%s: %s (%s)", #call, err.message, ipfsa_status_to_string(status_)); \
  } while (0)
#define assert_status(call, expected)                                                              \
  do {                                                                                             \
    ipfsa_status status_ = (call);                                                                 \
    if (status_ != (expected))                                                                     \
      fail_msg("%s: got %s (%s), expected %s", #call, ipfsa_status_to_string(status_), err.message,  \
               ipfsa_status_to_string(expected));                                                  \
  } while (0)

char *test_temp_dir(void);              /* fresh folder under $TMPDIR; owned; removed by test_remove_tree */
void test_remove_tree(const char *dir); /* and frees dir */
size_t test_hex(const char *hex, uint8_t *ret);
char *test_to_hex(const void *data, size_t len); /* owned: free() */
/* "../shared/vectors/NAME" next to the source tree or $IPFSA_VECTORS/NAME; NULL when it is not there: then skip aloud. */
const char *test_shared_vector(const char *name);
const char *test_source_root(void);
void test_shake128(const char *seed, uint8_t *out, size_t len); /* the content of the recorded vectors */

#endif
