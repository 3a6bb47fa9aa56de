// SPDX-License-Identifier: Apache-2.0
/*
 * bad_jail.c - a jail that has gone wrong, in the way that its file is called.
 *
 * It gets no arguments and no environment, as the real one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jail/jailwire.h"

struct message {
	struct jail_header header;
	union {
		struct jail_hello hello;
		struct jail_page_answer page;
	};
};

static void say(const struct message *m, size_t body)
{
	struct message copy = *m;

	copy.header.size = (uint32_t)body;
	copy.header.version = JAIL_VERSION;
	if (send(JAIL_SOCKET, &copy, sizeof(copy.header) + body, MSG_NOSIGNAL) < 0)
		_exit(1);
}

int main(void)
{
	struct message hello = { .header = { .type = JAIL_HELLO } };
	struct message answer = { .header = { .type = JAIL_PAGE } };
	struct jail_header request;
	char path[4096] = "", body[64];
	const char *name;

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return 1;
	name = strrchr(path, '/') + 1;
	if (!strcmp(name, "dies"))
		return 1;
	if (!strcmp(name, "refuses")) {
		hello.hello.status = JAIL_REFUSED;
		strcpy(hello.hello.text, "cannot filter system calls");
	}
	if (!strcmp(name, "screams"))
		strcpy(hello.hello.text, "\033[2J");
	say(&hello, sizeof(hello.hello));
	while (recv(JAIL_SOCKET, &request, sizeof(request), MSG_WAITALL) == sizeof(request)) {
		if (recv(JAIL_SOCKET, body, request.size, MSG_WAITALL) != (ssize_t)request.size)
			return 1;
		answer.header.sequence = request.sequence;
		if (!strcmp(name, "silent"))
			pause();
		if (!strcmp(name, "slow")) { /* a byte at a time, without an end */
			for (int i = 0; i < 100; i++) {
				send(JAIL_SOCKET, "", 1, MSG_NOSIGNAL);
				usleep(20000);
			}
		}
		if (!strcmp(name, "late"))
			answer.header.sequence--;
		if (!strcmp(name, "lies"))
			answer.page.rows = 5;
		if (!strcmp(name, "vast")) {
			answer.header.size = 0xfffffff0;
			send(JAIL_SOCKET, &answer, sizeof(answer), MSG_NOSIGNAL);
			pause();
		}
		say(&answer, sizeof(answer.page));
	}
	return 0;
}
