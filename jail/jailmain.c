// SPDX-License-Identifier: Apache-2.0
/*
 * jailmain.c - profiler-jail: what the recorder does not dare to do itself, done without rights.
 *
 * The recorder starts it with one end of a socket and nothing else; see jailwire.h. It locks itself
 * up (sandbox.h) before it reads the first request, or says why it cannot and ends: it never
 * serves unlocked. The only file of the jail that prints or exits.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "jail/jailwire.h"
#include "jail/sandbox.h"
#include "jail/serve.h"

#define EXIT_OK	     0
#define EXIT_FAILED  1
#define EXIT_MISUSED 2

int main(void)
{
	const char *step = "set up";
	char refusal[JAIL_HELLO_TEXT];
	struct serve *serve;
	struct stat st;
	int err;

	if (fstat(JAIL_SOCKET, &st) || !S_ISSOCK(st.st_mode)) {
		fputs("profiler-jail: reads executables for profiler, which starts it; "
		      "there is nothing to do with it by hand\n",
		      stderr);
		return EXIT_MISUSED;
	}
	serve = serve_open(JAIL_SOCKET);
	if (!serve)
		return EXIT_FAILED;
	err = sandbox_enter(JAIL_SOCKET, &step);
	if (err) {
		snprintf(refusal, sizeof(refusal), "cannot %s: %s", step, strerror(-err));
		(void)serve_hello(serve, refusal);
		return EXIT_FAILED;
	}
	if (serve_hello(serve, NULL))
		return EXIT_FAILED;
	return serve_run(serve) ? EXIT_FAILED : EXIT_OK;
}
