/* What a container says: as it says it, or with --json a line of JSON for each of its lines. */
#ifndef IPFSA_CLI_SAID_H
#define IPFSA_CLI_SAID_H

#include "cli/cli.h"

#define CLI_SAID_LINE 16384 /* bytes; of a longer line the pieces are told, as engines cut there as well */

typedef struct cli_said { /* zeroed but for the first two */
  cli_context *ctx;
  bool has_times; /* each line begins with its time */
  struct { char text[CLI_SAID_LINE]; size_t len; } line[2]; /* of standard output and standard error, until it is whole */
} cli_said;

int cli_said_take(void *said, int stream, const void *data, size_t len); /* an ipfsa_container_output_cb */
void cli_said_end(cli_said *said); /* what came without a line's end */

#endif
