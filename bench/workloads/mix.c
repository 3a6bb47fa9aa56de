/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mix.c - a little of everything, for demos: two request threads (http-0, http-1) that
 * parse, hash and compress, one that logs (logger), one that starts short children (cron).
 *
 * It runs for -d seconds of wall-clock time. Its truth is the CPU time of each thread;
 * within a request the functions do real work of the kind their names say.
 */
#include "common.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK_BYTES	  4096
#define HASH_ROUNDS	  300
#define LOG_PAUSE_NS	  1000000
#define CRON_PAUSE_NS	  20000000
#define CRON_CHILD_BLOCKS 40

struct actor {
	const char *name;
	int (*work)(struct actor *actor); /* one request, one batch of lines, one job */
	long pause_ns;			  /* after each */
	int fd;
	uint64_t end_ns;
	uint64_t spent_ns;
	uint64_t done;
	uint64_t random;
	bool failed;
	pthread_t thread;
};

/* Counts the fields of a request line by line, as a parser of HTTP would. */
static WORKLOAD unsigned int parse_request(const char *text)
{
	unsigned int fields = 0;
	bool name = true;

	for (; *text; text++) {
		if (*text == '\n')
			name = true;
		else if (*text == ':' && name)
			fields++, name = false;
	}
	barrier();
	return fields;
}

static WORKLOAD uint64_t hash_password(const char *password, unsigned int rounds)
{
	uint64_t hash = 14695981039346656037u;

	for (unsigned int i = 0; i < rounds; i++) {
		for (const char *at = password; *at; at++)
			hash = (hash ^ (unsigned char)*at) * 1099511628211u;
	}
	barrier();
	return hash;
}

/* Runs of equal bytes to pairs of count and byte; out has room for twice the input. */
static WORKLOAD size_t compress_block(const unsigned char *in, size_t bytes, unsigned char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < bytes;) {
		size_t run = 1;

		while (i + run < bytes && run < 255 && in[i + run] == in[i])
			run++;
		out[used++] = (unsigned char)run;
		out[used++] = in[i];
		i += run;
	}
	barrier();
	return used;
}

static WORKLOAD void render_page(unsigned char *page, uint64_t *random)
{
	for (size_t i = 0; i < BLOCK_BYTES; i += 8) {
		uint64_t word = random_next(random) & 0x0303030303030303u;

		memcpy(page + i, &word, sizeof(word));
	}
	barrier();
}

static WORKLOAD int send_response(int fd, const unsigned char *data, size_t bytes)
{
	return raw_syscall(SYS_write, fd, (long)(uintptr_t)data, (long)bytes) < 0 ? -1 : 0;
}

static WORKLOAD int handle_request(struct actor *actor)
{
	static const char request[] =
		"GET /index.html HTTP/1.1\nHost: example.org\nAccept: text/html\n"
		"Accept-Language: en\nUser-Agent: mix\nCookie: id=6c61\nConnection: close\n\n";
	unsigned char page[BLOCK_BYTES], packed[2 * BLOCK_BYTES];
	unsigned int fields = 0;

	for (int i = 0; i < 60; i++)
		fields += parse_request(request);
	uint64_t hash = hash_password("correct horse battery", HASH_ROUNDS + fields % 2);
	actor->random ^= hash | 1;
	for (int i = 0; i < 3; i++)
		render_page(page, &actor->random);
	return send_response(actor->fd, packed, compress_block(page, sizeof(page), packed));
}

static WORKLOAD int append_log(struct actor *actor)
{
	static const char line[] = "2000-01-01T00:00:00Z GET /index.html 200 4096\n";

	for (int i = 0; i < 200; i++) {
		if (raw_syscall(SYS_write, actor->fd, (long)(uintptr_t)line, sizeof(line) - 1) < 0)
			return -1;
	}
	return (int)raw_syscall(SYS_lseek, actor->fd, 0, SEEK_SET);
}

static WORKLOAD void rotate_logs(uint64_t random)
{
	unsigned char page[BLOCK_BYTES], packed[2 * BLOCK_BYTES];

	for (int i = 0; i < CRON_CHILD_BLOCKS; i++) {
		render_page(page, &random);
		compress_block(page, sizeof(page), packed);
	}
}

static WORKLOAD int start_job(struct actor *actor)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		rotate_logs(actor->random);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid ? 0 : -1;
}

static WORKLOAD void *act(void *arg)
{
	struct actor *actor = arg;
	const struct timespec pause = { .tv_nsec = actor->pause_ns };

	pthread_setname_np(pthread_self(), actor->name);
	while (clock_ns(CLOCK_MONOTONIC) < actor->end_ns) {
		if (actor->work(actor)) {
			actor->failed = true;
			break;
		}
		actor->done++;
		if (actor->pause_ns)
			nanosleep(&pause, NULL);
	}
	actor->spent_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static int print_truth(const struct actor *actors, size_t count)
{
	int failed = 0;

	printf("{\"workload\": \"mix\", \"threads\": {");
	for (size_t i = 0; i < count; i++) {
		printf("%s\"%s\": {\"cpu_ns\": %llu, \"done\": %llu}", i ? ", " : "",
		       actors[i].name, (unsigned long long)actors[i].spent_ns,
		       (unsigned long long)actors[i].done);
		failed |= actors[i].failed;
	}
	printf("}}\n");
	if (failed)
		fprintf(stderr, "mix: a thread failed\n");
	return failed;
}

int main(int argc, char **argv)
{
	double seconds = 10;
	const struct workload_option options[] = { { "-d", &seconds }, { NULL, NULL } };
	struct actor actors[] = {
		{ .name = "http-0", .work = handle_request },
		{ .name = "http-1", .work = handle_request },
		{ .name = "logger", .work = append_log, .pause_ns = LOG_PAUSE_NS },
		{ .name = "cron", .work = start_job, .pause_ns = CRON_PAUSE_NS },
	};
	const size_t count = sizeof(actors) / sizeof(actors[0]);

	workload_options(argc, argv, options);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), log = memfd_create("log", MFD_CLOEXEC);
	if (null < 0 || log < 0) {
		perror("mix");
		return 1;
	}
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * NS_PER_S);
	for (size_t i = 0; i < count; i++) {
		actors[i].fd = actors[i].work == append_log ? log : null;
		actors[i].end_ns = end_ns;
		actors[i].random = RANDOM_SEED + i;
		errno = pthread_create(&actors[i].thread, NULL, act, &actors[i]);
		if (errno) {
			perror("mix: pthread_create");
			return 1;
		}
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(actors[i].thread, NULL);
	return print_truth(actors, count);
}
