/* Commands of Kubo that this program does not have: each is answered by a sentence that says why, not by "unknown". */
#include <string.h>

#include "cli/context.h"

static const char network[] = "this program does not talk to other nodes; it works on the repo alone";
static const char ipns[] = "names and the keys behind them need the network, which this program does not reach";
static const char daemon_only[] = "this program has no daemon; every command works on the repo itself";

/* By the words it begins with; the longest match counts. */
static const struct {
  const char *name, *why;
} table[] = {
    {"bitswap", network},
    {"bootstrap", network},
    {"daemon", daemon_only},
    {"dht", network},
    {"diag", "'repo stat', 'repo verify' and 'stats hash' look at the repo and the processor"},
    {"id", "this program keeps no identity, as it does not talk to other nodes"},
    {"key", ipns},
    {"log", daemon_only},
    {"mount", "'get' writes content into a folder, 'cat' and 'files read' show it"},
    {"name", ipns},
    {"object", "Kubo deprecated these commands in favour of 'dag' and 'files', which are here"},
    {"p2p", network},
    {"pin remote", network},
    {"ping", network},
    {"provide", network},
    {"pubsub", network},
    {"routing", network},
    {"shutdown", daemon_only},
    {"stats bitswap", network},
    {"stats bw", network},
    {"stats dht", network},
    {"stats provide", network},
    {"stats reprovide", network},
    {"swarm", network},
    {"update", "it is renewed by the means by which it was installed"},
    {"version check", network},
};

const char *cli_why_unsupported(const char *words) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    size_t len = strlen(table[i].name);
    if (strncmp(words, table[i].name, len) == 0 && (words[len] == '\0' || words[len] == ' ')) return table[i].why;
  }
  return NULL;
}
