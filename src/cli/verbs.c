/* Every verb, sorted by name: the order of help and completions. */
#include "cli/cli.h"

const cli_verb *const cli_verbs[] = {
    NULL,
};
