#include "cli/cli.h"

int main(void) { return 0; }
