// SPDX-License-Identifier: Apache-2.0
/*
 * jail.c - the recorder's end of the jail.
 *
 * Between two requests a running jail has nothing to say: whenever a request did not end as it
 * should, the jail is killed, so what comes through the socket is always of the request at hand
 * (or the hello of a new jail before it). That it is, the sequence number shows.
 */
#include "profiler/jail.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/jailcheck.h"

#define PROGRAM "profiler-jail"

/* After a request that ended badly a new jail is not started for this many times as long as it
 * took: files that make it work in vain cost a fifth of a CPU, and not all of it. */
#define PAUSE_FACTOR 4

/* Up to 16 times the usual deadline, 4 s: on a CPU of which the jail gets a twentieth. */
#define PATIENCE_MAX 4
#define CALM_ANSWERS 64 /* that come in time, before it gets less */

struct jail {
	pid_t pid;  /* 0: none runs */
	int socket; /* of the one that runs */
	bool greeted;
	bool never; /* it cannot run here: obstacle says why */
	uint64_t next_start_ns;
	uint64_t sequence;
	uint64_t asked_ns; /* when the request at hand began */
	uint64_t deadline_ns;
	uint32_t patience; /* deadlines are doubled so often */
	uint32_t in_time;  /* answers since it was last found too short */
	enum jail_status refusal;
	struct jail_stats stats;
	uint8_t *body; /* of an answer; JAIL_ANSWER_MAX, of which little is ever touched */
	char obstacle[JAIL_HELLO_TEXT];
	char path[PATH_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Beside the running program, or where it is installed for programs that nobody calls by hand. */
static int find_program(char path[PATH_MAX])
{
	static const char *const places[] = { "/" PROGRAM, "/../libexec/" PROGRAM };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (snprintf(path, PATH_MAX, "%s%s", self, places[i]) < PATH_MAX &&
		    !access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

int jail_open(struct jail **ret, const char *path)
{
	struct jail *j = calloc(1, sizeof(*j));
	int err = 0;

	if (!j)
		return -ENOMEM;
	j->socket = -1;
	j->body = mmap(NULL, JAIL_ANSWER_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (j->body == MAP_FAILED) {
		free(j);
		return -ENOMEM;
	}
	if (!path)
		err = find_program(j->path);
	else if (strlen(path) < sizeof(j->path))
		strcpy(j->path, path);
	else
		err = -ENAMETOOLONG;
	if (err) {
		jail_free(j);
		return err;
	}
	*ret = j;
	return 0;
}

/* The jail is no more; its files are gone with it. */
static void bury(struct jail *j)
{
	close(j->socket);
	j->socket = -1;
	j->pid = 0;
}

/* Ends the jail that runs. */
static void end(struct jail *j)
{
	if (!j->pid)
		return;
	kill(j->pid, SIGKILL);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	bury(j);
}

void jail_free(struct jail *j)
{
	if (!j)
		return;
	end(j);
	munmap(j->body, JAIL_ANSWER_MAX);
	free(j);
}

/*
 * The child's: no files but the socket, all signals as they were at first, and a process group of
 * its own, so that Ctrl-C on the terminal is not for it: the recorder still needs it then.
 */
static int spawn_with(struct jail *j, int socket, posix_spawn_file_actions_t *actions,
		      posix_spawnattr_t *attributes)
{
	char name[] = PROGRAM, *const args[] = { name, NULL }, *const environment[] = { NULL };
	sigset_t set;
	int err = posix_spawn_file_actions_adddup2(actions, socket, JAIL_SOCKET);

	for (int fd = 0; !err && fd < JAIL_SOCKET; fd++)
		err = posix_spawn_file_actions_addclose(actions, fd);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(actions, JAIL_SOCKET + 1);
	sigemptyset(&set);
	if (!err)
		err = posix_spawnattr_setsigmask(attributes, &set);
	sigfillset(&set);
	if (!err)
		err = posix_spawnattr_setsigdefault(attributes, &set);
	if (!err)
		err = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
								   POSIX_SPAWN_SETSIGDEF |
								   POSIX_SPAWN_SETPGROUP);
	return err ? err : posix_spawn(&j->pid, j->path, actions, attributes, args, environment);
}

static int spawn(struct jail *j, int socket)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int err;

	if (posix_spawn_file_actions_init(&actions))
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes)) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	err = spawn_with(j, socket, &actions, &attributes);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int give_up_for_good(struct jail *j, const char *reason)
{
	snprintf(j->obstacle, sizeof(j->obstacle), "%s", reason);
	j->never = true;
	end(j);
	return -EPERM;
}

/* Starts one if none runs and it is time. */
static int start(struct jail *j)
{
	uint64_t now = now_ns();
	int sockets[2], err;

	if (j->never)
		return -EPERM;
	if (j->pid && waitpid(j->pid, NULL, WNOHANG) == j->pid) {
		j->stats.deaths++; /* between two requests: nobody's fault that we know of */
		bury(j);
	}
	if (j->pid)
		return 0;
	if (now < j->next_start_ns) {
		j->stats.too_soon++;
		return -EAGAIN;
	}
	j->next_start_ns = now + 1000000000 / JAIL_STARTS_PER_S;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	err = spawn(j, sockets[1]);
	close(sockets[1]);
	if (err) {
		close(sockets[0]);
		j->pid = 0;
		return err == -EAGAIN || err == -ENOMEM ? err : give_up_for_good(j, strerror(-err));
	}
	j->socket = sockets[0];
	j->greeted = false;
	j->stats.starts++;
	return 0;
}

/* Waits until the socket is ready: 0, -ETIMEDOUT. */
static int wait_for(struct jail *j, short events)
{
	struct pollfd poll_fd = { .fd = j->socket, .events = events };

	for (;;) {
		uint64_t now = now_ns();
		int n;

		if (now >= j->deadline_ns)
			return -ETIMEDOUT;
		n = poll(&poll_fd, 1, (int)((j->deadline_ns - now) / 1000000) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static bool try_again(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Sends all of the message, whose parts are changed; the descriptor goes with its first byte. */
static int send_all(struct jail *j, struct msghdr *message)
{
	while (message->msg_iovlen) {
		ssize_t n = sendmsg(j->socket, message, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (try_again(n)) {
			int err = wait_for(j, POLLOUT);

			if (err)
				return err;
			continue;
		}
		if (n < 0)
			return -EPIPE;
		message->msg_control = NULL;
		message->msg_controllen = 0;
		while (message->msg_iovlen && (size_t)n >= message->msg_iov->iov_len) {
			n -= (ssize_t)message->msg_iov->iov_len;
			message->msg_iov++;
			message->msg_iovlen--;
		}
		if (message->msg_iovlen) {
			message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + n;
			message->msg_iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int receive_all(struct jail *j, void *to, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = recv(j->socket, (char *)to + have, size - have, MSG_DONTWAIT);

		if (try_again(n)) {
			int err = wait_for(j, POLLIN);

			if (err)
				return err;
			continue;
		}
		if (n <= 0)
			return -EPIPE;
		have += (size_t)n;
	}
	return 0;
}

/* An answer, checked, in j->body. */
static int receive(struct jail *j, enum jail_type type, uint64_t sequence)
{
	struct jail_header header;
	int err = wait_for(j, POLLIN); /* it takes a while; the body is there with the header */

	if (!err)
		err = receive_all(j, &header, sizeof(header));
	if (!err)
		err = jailcheck_header(&header, type, sequence);
	if (!err)
		err = receive_all(j, j->body, header.size);
	return err ? err : jailcheck_body(type, j->body, header.size);
}

/* A new jail says whether it is locked up. */
static int receive_hello(struct jail *j)
{
	const struct jail_hello *hello = (const void *)j->body;
	int err;

	if (j->greeted)
		return 0;
	err = receive(j, JAIL_HELLO, 0);
	if (err)
		return err;
	if (hello->status != JAIL_OK)
		return give_up_for_good(j, hello->text);
	j->greeted = true;
	return 0;
}

static int exchange(struct jail *j, enum jail_type type, struct msghdr *message)
{
	int err = send_all(j, message);

	/* Also when it could not be sent: why it died may be in the hello. */
	if (!err || err == -EPIPE) {
		int hello = receive_hello(j);

		err = hello ? hello : err;
	}
	return err ? err : receive(j, type, j->sequence);
}

/* A request ended badly: another jail, later. */
static void give_up(struct jail *j, int err)
{
	uint64_t now = now_ns();
	uint64_t took = now - j->asked_ns;

	if (err == -EPIPE)
		j->stats.deaths++;
	else if (err == -ETIMEDOUT)
		j->stats.timeouts++;
	else if (err == -EPROTO)
		j->stats.nonsense++;
	if (j->next_start_ns < now + PAUSE_FACTOR * took)
		j->next_start_ns = now + PAUSE_FACTOR * took;
	end(j);
}

static uint64_t deadline_ms(enum jail_type type)
{
	bool reads_much = type == JAIL_NAMES || type == JAIL_JIT || type == JAIL_DEBUG;

	return reads_much ? JAIL_NAMES_DEADLINE_MS : JAIL_DEADLINE_MS;
}

/*
 * Of a file that takes too long the jail dies by itself, of CPU time. So if it was late it got no
 * CPU, and would get no further with a new start.
 */
static void learn_patience(struct jail *j, int err)
{
	if (err == -ETIMEDOUT && j->patience < PATIENCE_MAX)
		j->patience++;
	j->in_time = err ? 0 : j->in_time + 1;
	if (j->patience && j->in_time == CALM_ANSWERS) {
		j->patience--;
		j->in_time = 0;
	}
}

/* A request: header, its struct and up to two arrays behind; the answer is in j->body. */
static int ask(struct jail *j, enum jail_type type, const struct iovec content[3], int fd)
{
	struct jail_header header = { .type = (uint16_t)type,
				      .version = JAIL_VERSION,
				      .sequence = ++j->sequence };
	struct iovec parts[4] = { { .iov_base = &header, .iov_len = sizeof(header) } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 4 };
	int err = start(j);

	if (err)
		return err;
	for (int i = 0; i < 3; i++) {
		parts[i + 1] = content[i];
		header.size += (uint32_t)content[i].iov_len;
	}
	if (fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)control;

		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fd)),
				       .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
	}
	j->stats.requests++;
	j->asked_ns = now_ns();
	j->deadline_ns = j->asked_ns + (deadline_ms(type) * 1000000 << j->patience);
	err = exchange(j, type, &message);
	learn_patience(j, err);
	if (err)
		give_up(j, err);
	return err;
}

/* What a status is to the caller. */
static int refused(struct jail *j, uint32_t status)
{
	if (status == JAIL_OK)
		return 0;
	if (status == JAIL_UNKNOWN_FILE)
		return -ENOENT;
	j->refusal = (enum jail_status)status;
	j->stats.refusals++;
	return -ENOEXEC;
}

static bool is_id(uint32_t file)
{
	return file != JAIL_FILE_NONE && file != JAIL_FILE_UNUSABLE;
}

int jail_file(struct jail *j, uint32_t file, int fd, struct jail_file_answer *ret)
{
	const struct jail_file_answer *answer = (const void *)j->body;
	struct jail_file_request r = { .file = file };
	int err;

	if (!is_id(file) || fd < 0)
		return -EINVAL;
	err = ask(j, JAIL_FILE, (struct iovec[3]){ { &r, sizeof(r) } }, fd);
	if (!err)
		err = refused(j, answer->status);
	if (!err)
		*ret = *answer;
	return err;
}

int jail_page(struct jail *j, uint32_t file, uint32_t page, struct jail_page *ret)
{
	const struct jail_page_answer *answer = (const void *)j->body;
	const struct unwind_rule *rules = (const void *)(answer + 1);
	struct jail_page_request r = { .file = file, .page = page };
	int err;

	if (!is_id(file))
		return -EINVAL;
	err = ask(j, JAIL_PAGE, (struct iovec[3]){ { &r, sizeof(r) } }, -1);
	if (!err)
		err = refused(j, answer->status);
	if (!err)
		*ret = (struct jail_page){ .row_count = answer->rows,
					   .rule_count = answer->rules,
					   .rules = rules,
					   .rows = (const void *)(rules + answer->rules) };
	return err;
}

/* What is asked is only read; struct iovec does not say so. */
static struct iovec part(const void *data, size_t size)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = size };
}

int jail_walk(struct jail *j, const struct jail_walk *walk, struct jail_stack *ret)
{
	const struct jail_walk_answer *answer = (const void *)j->body;
	struct jail_walk_request r = { .machine = walk->machine,
				       .mappings = walk->mapping_count,
				       .stack_bytes = walk->stack_bytes,
				       .stack_address = walk->stack_address };
	int err;

	if (walk->mapping_count > JAIL_MAPPINGS_MAX || walk->stack_bytes > JAIL_STACK_MAX)
		return -EINVAL;
	memcpy(r.registers, walk->registers, sizeof(r.registers));
	err = ask(j, JAIL_WALK,
		  (struct iovec[3]){
			  part(&r, sizeof(r)),
			  part(walk->mappings, walk->mapping_count * sizeof(*walk->mappings)),
			  part(walk->stack, walk->stack_bytes) },
		  -1);
	if (!err)
		err = refused(j, answer->status);
	if (!err)
		*ret = (struct jail_stack){ .end = (enum jail_end)answer->end,
					    .file = answer->file,
					    .count = answer->frames,
					    .frames = (const void *)(answer + 1) };
	return err;
}

int jail_debug(struct jail *j, uint32_t file, int fd, enum jail_kind *ret_kind)
{
	const struct jail_debug_answer *answer = (const void *)j->body;
	struct jail_debug_request r = { .file = file };
	int err;

	if (!is_id(file) || fd < 0)
		return -EINVAL;
	err = ask(j, JAIL_DEBUG, (struct iovec[3]){ { &r, sizeof(r) } }, fd);
	if (!err)
		err = refused(j, answer->status);
	if (!err)
		*ret_kind = (enum jail_kind)answer->kind;
	return err;
}

/* Asks for the names of places, which go behind @r. */
static int ask_names(struct jail *j, enum jail_type type, struct iovec r, int fd,
		     const uint64_t *places, uint32_t count, struct jail_names *ret)
{
	const struct jail_names_answer *answer = (const void *)j->body;
	const struct jail_stretch *stretches = (const void *)(answer + 1);
	int err = ask(j, type, (struct iovec[3]){ r, part(places, count * sizeof(*places)) }, fd);

	if (!err)
		err = refused(j, answer->status);
	if (err)
		return err;
	err = jailcheck_stretches(stretches, answer->stretches, places, count);
	if (err) {
		give_up(j, err);
		return err;
	}
	*ret = (struct jail_names){ .count = answer->stretches,
				    .stretches = stretches,
				    .texts = (const char *)(stretches + answer->stretches) };
	return 0;
}

int jail_names(struct jail *j, uint32_t file, const uint64_t *offsets, uint32_t count,
	       struct jail_names *ret)
{
	struct jail_names_request r = { .file = file, .count = count };

	if (!is_id(file) || !count || count > JAIL_NAMES_MAX)
		return -EINVAL;
	return ask_names(j, JAIL_NAMES, part(&r, sizeof(r)), -1, offsets, count, ret);
}

int jail_jit(struct jail *j, enum jail_jit kind, int fd, uint64_t before, const uint64_t *addresses,
	     uint32_t count, struct jail_names *ret)
{
	struct jail_jit_request r = { .kind = kind, .count = count, .before = before };

	if (fd < 0 || !count || count > JAIL_NAMES_MAX)
		return -EINVAL;
	return ask_names(j, JAIL_JIT, part(&r, sizeof(r)), fd, addresses, count, ret);
}

int jail_forget(struct jail *j, uint32_t file)
{
	struct jail_forget_request r = { .file = file };

	if (!j->pid || !is_id(file))
		return 0;
	return ask(j, JAIL_FORGET, (struct iovec[3]){ { &r, sizeof(r) } }, -1);
}

enum jail_status jail_refusal(const struct jail *j)
{
	return j->refusal;
}

const char *jail_obstacle(const struct jail *j)
{
	return j->never ? j->obstacle : NULL;
}

uint32_t jail_pid(const struct jail *j)
{
	return (uint32_t)j->pid;
}

struct jail_stats jail_stats(const struct jail *j)
{
	return j->stats;
}
