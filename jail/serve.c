// SPDX-License-Identifier: Apache-2.0
/*
 * serve.c - answers the recorder's requests.
 *
 * The recorder is trusted, except for its lengths: a message that cannot be is the end. The files
 * are not: they are mapped, and reading what their owner has cut off raises SIGBUS. It is caught,
 * not died of, since a death would cost all other files too, and anyone could cause it at will:
 * the handler jumps back to the request, which is served again without that file. That is in order
 * because what is interrupted (elf_file, cfi, table, snapshot) owns nothing at that point but the
 * buffers that the next request overwrites.
 */
#include "jail/serve.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "jail/cfi.h"
#include "jail/elf_file.h"
#include "jail/jailwire.h"
#include "jail/naming.h"
#include "jail/snapshot.h"
#include "jail/startcode.h"
#include "jail/table.h"

struct held_file {
	uint32_t id; /* JAIL_FILE_NONE: free */
	bool truncated;
	bool touched; /* since its pages were given back */
	uint64_t used;
	struct elf_file elf;
	struct elf_file debug; /* its separate debug file; .data is NULL without one */
	struct cfi cfi;	       /* .file is NULL for a file without tables */
	struct cfi more;       /* of .debug_frame, where cfi leaves out code: cfi.more */
};

struct serve {
	int socket;
	int received_fd; /* of the request at hand; -1 */
	uint64_t requests;
	uint64_t clock; /* of held_file.used */
	struct unw_addr_space *space;
	struct jail_header request;
	struct held_file *busy; /* which file is read now */
	bool interrupted;	/* in this request, by a file's end */
	struct held_file files[SERVE_FILES];
	uint64_t frames[MAX_FRAMES];
	struct table_page page;
	struct naming naming;
	_Alignas(16) uint8_t body[JAIL_REQUEST_MAX];
};

/* Where to when a mapped file turns out to be shorter: signal handlers have no argument. */
static sigjmp_buf file_ended;

static void on_sigbus(int signal)
{
	(void)signal;
	siglongjmp(file_ended, 1);
}

/* The socket */

static void close_received(struct serve *s)
{
	if (s->received_fd >= 0)
		close(s->received_fd);
	s->received_fd = -1;
}

/* Takes the one descriptor that may come along; more than one is nothing we were promised. */
static void take_fd(struct serve *s, struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return;
	close_received(s);
	memcpy(&s->received_fd, CMSG_DATA(c), sizeof(int));
}

/* Return: 1 with all of it, 0 at the end of the stream before the first byte, or -errno. */
static int receive(struct serve *s, void *to, size_t size)
{
	size_t have = 0;

	while (have < size) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
		struct iovec part = { .iov_base = (char *)to + have, .iov_len = size - have };
		struct msghdr message = { .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(s->socket, &message, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : have ? -EPROTO : 0;
		take_fd(s, &message);
		have += (size_t)n;
	}
	return 1;
}

/* Sends all of the parts; changes them. */
static int send_parts(struct serve *s, struct iovec *parts, size_t count)
{
	while (count) {
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
		ssize_t n = sendmsg(s->socket, &message, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		while (count && (size_t)n >= parts->iov_len) {
			n -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count) {
			parts->iov_base = (char *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* An answer to the request at hand: its struct, and up to two arrays behind. */
static int answer(struct serve *s, struct iovec content[3])
{
	struct jail_header header = { .type = s->request.type,
				      .version = JAIL_VERSION,
				      .sequence = s->request.sequence };
	struct iovec parts[4] = { { .iov_base = &header, .iov_len = sizeof(header) } };

	for (int i = 0; i < 3; i++) {
		parts[i + 1] = content[i];
		header.size += (uint32_t)content[i].iov_len;
	}
	return send_parts(s, parts, 4);
}

/* The files */

static struct held_file *find_file(struct serve *s, uint32_t id)
{
	for (size_t i = 0; i < SERVE_FILES; i++) {
		if (s->files[i].id == id)
			return &s->files[i];
	}
	return NULL;
}

/* Forgets a debug file that was not made use of, or only begun with. */
static void drop_debug(struct held_file *file)
{
	if (!file->cfi.more)
		cfi_release(&file->more);
	elf_file_close(&file->debug);
}

static void drop_file(struct held_file *file)
{
	cfi_release(&file->cfi);
	cfi_release(&file->more);
	elf_file_close(&file->elf);
	elf_file_close(&file->debug);
	*file = (struct held_file){ .id = JAIL_FILE_NONE };
}

static void use_file(struct serve *s, struct held_file *file)
{
	file->used = ++s->clock;
	file->touched = true;
	s->busy = file;
}

/*
 * The pages stay in the page cache; they are counted here only while they are mapped here. Every
 * SERVE_KEEP requests: taking them in again costs more than the rest of a request. But at once
 * after a file that may have been read as a whole, for an index.
 */
static void give_pages_back(struct serve *s)
{
	if (++s->requests % SERVE_KEEP && s->request.type != JAIL_FILE &&
	    s->request.type != JAIL_DEBUG && s->request.type != JAIL_NAMES)
		return;
	for (size_t i = 0; i < SERVE_FILES; i++) {
		struct held_file *file = &s->files[i];

		if (!file->touched)
			continue;
		madvise((void *)(uintptr_t)file->elf.data, file->elf.size, MADV_DONTNEED);
		if (file->debug.data)
			madvise((void *)(uintptr_t)file->debug.data, file->debug.size,
				MADV_DONTNEED);
		file->touched = false;
	}
}

static enum jail_status status_of(int err)
{
	switch (err) {
	case 0:
		return JAIL_OK;
	case -ENOEXEC:
		return JAIL_NOT_ELF;
	case -ENODEV:
		return JAIL_NOT_REGULAR;
	case -E2BIG:
	case -ENOMEM:
		return JAIL_TOO_LARGE;
	default:
		return JAIL_CORRUPT;
	}
}

/*
 * Takes what .debug_frame knows, of the file itself or of its debug file. A damaged one is as good
 * as none.
 */
static int add_debug_frame(struct held_file *file, const struct elf_file *from)
{
	int err;

	if (file->cfi.debug_frame || file->cfi.more)
		return 0;
	err = cfi_init_debug(&file->more, &file->elf, from);
	if (err) {
		cfi_release(&file->more);
		return err == -ENOMEM ? err : 0;
	}
	if (file->cfi.file) {
		file->cfi.more = &file->more;
	} else {
		file->cfi = file->more;
		file->more = (struct cfi){ .file = NULL };
	}
	return 0;
}

/* -ENOMEM: there may be room when another file has gone. */
static int map_file(struct serve *s, struct held_file *file)
{
	int err = elf_file_open_fd(&file->elf, s->received_fd);

	if (err)
		return err == -EINVAL ? -ENODEV : err;
	err = cfi_init(&file->cfi, &file->elf);
	if (err == -ENODATA) {
		file->cfi = (struct cfi){ .file = NULL };
		if (startcode_is_all(&file->elf)) /* as tables of no function */
			file->cfi = (struct cfi){ .file = &file->elf, .debug_frame = true };
		return 0;
	}
	return err ? err : add_debug_frame(file, &file->elf);
}

/* Makes room; false when nothing is held any more. */
static bool drop_oldest(struct serve *s)
{
	struct held_file *oldest = NULL;

	for (size_t i = 0; i < SERVE_FILES; i++) {
		struct held_file *file = &s->files[i];

		if (file->id != JAIL_FILE_NONE && (!oldest || file->used < oldest->used))
			oldest = file;
	}
	if (oldest)
		drop_file(oldest);
	return oldest;
}

/* A place for a file: there is one now. */
static struct held_file *free_place(struct serve *s)
{
	struct held_file *file = find_file(s, JAIL_FILE_NONE);

	while (!file && drop_oldest(s))
		file = find_file(s, JAIL_FILE_NONE);
	return file;
}

/* Maps the file that was received. */
static enum jail_status load_file(struct serve *s, uint32_t id, struct held_file **ret)
{
	struct held_file *file = find_file(s, id);
	int err;

	if (!file)
		file = free_place(s);
	do {
		drop_file(file);
		use_file(s, file);
		err = map_file(s, file);
	} while (err == -ENOMEM && drop_oldest(s));
	if (err) {
		drop_file(file);
		return status_of(err);
	}
	file->id = id;
	*ret = file;
	return JAIL_OK;
}

static enum jail_kind kind_of(const struct held_file *file)
{
	return file->cfi.file ? JAIL_KIND_TABLES
	       : file->elf.go ? JAIL_KIND_FRAME_POINTERS
			      : JAIL_KIND_BARE;
}

/* What a separate debug file might bring. */
static uint32_t lacks_of(const struct held_file *file)
{
	const struct elf_file *elf = &file->elf;
	bool tables =
		elf->go || elf->debug_frame.size || (file->cfi.file && !cfi_is_sparse(&file->cfi));

	return (tables ? 0 : JAIL_LACKS_TABLES) | (elf->has_symtab ? 0 : JAIL_LACKS_SYMBOLS);
}

/*
 * Does a debug file belong to the file? Build ids say so, where both have one; else the checksum
 * that is in the file's debug link. Nothing else is believed, least of all the name.
 */
static bool belongs_to(const struct held_file *file)
{
	const struct elf_file *elf = &file->elf, *debug = &file->debug;

	if (debug->machine != elf->machine)
		return false;
	if (elf->build_id_size && debug->build_id_size)
		return elf->build_id_size == debug->build_id_size &&
		       memcmp(elf->build_id, debug->build_id, elf->build_id_size) == 0;
	return elf->debug_link[0] && debug->size <= SERVE_CHECKSUM_BYTES &&
	       elf_file_crc(debug) == elf->debug_link_crc;
}

/* Maps the debug file that was received. */
static enum jail_status load_debug(struct serve *s, struct held_file *file)
{
	int err = elf_file_open_debug_fd(&file->debug, s->received_fd);

	if (!err && !belongs_to(file))
		err = -EINVAL;
	if (!err)
		err = add_debug_frame(file, &file->debug);
	if (err)
		drop_debug(file);
	return status_of(err);
}

/* The requests. Each may be left by on_sigbus(). */

static int serve_file(struct serve *s)
{
	struct jail_file_answer a = { 0 };
	struct jail_file_request r;
	struct held_file *file = NULL;

	memcpy(&r, s->body, sizeof(r));
	if (s->interrupted)
		a.status = JAIL_TRUNCATED;
	else if (s->received_fd < 0 || r.file == JAIL_FILE_NONE)
		a.status = JAIL_NOT_REGULAR;
	else
		a.status = load_file(s, r.file, &file);
	close_received(s);
	if (a.status == JAIL_OK) {
		a.machine = file->elf.machine;
		a.kind = kind_of(file);
		a.lacks = lacks_of(file);
		memcpy(a.debug_link, file->elf.debug_link, sizeof(a.debug_link));
		if (file->elf.build_id_size <= JAIL_BUILD_ID_MAX) {
			a.build_id_size = file->elf.build_id_size;
			memcpy(a.build_id, file->elf.build_id, a.build_id_size);
		}
	}
	return answer(s, (struct iovec[3]){ { &a, sizeof(a) } });
}

static int serve_debug(struct serve *s)
{
	struct jail_debug_answer a = { 0 };
	struct jail_debug_request r;
	struct held_file *file;

	memcpy(&r, s->body, sizeof(r));
	file = r.file == JAIL_FILE_NONE ? NULL : find_file(s, r.file);
	if (!file) {
		a.status = JAIL_UNKNOWN_FILE;
	} else if (file->truncated || s->interrupted) {
		a.status = JAIL_TRUNCATED;
	} else if (s->received_fd < 0) {
		a.status = JAIL_NOT_REGULAR;
	} else if (file->debug.data) {
		a.status = JAIL_REFUSED; /* it has one */
	} else {
		use_file(s, file);
		a.status = load_debug(s, file);
	}
	close_received(s);
	if (a.status == JAIL_OK)
		a.kind = (uint8_t)kind_of(file);
	return answer(s, (struct iovec[3]){ { &a, sizeof(a) } });
}

static enum jail_status compile_page(struct serve *s, const struct jail_page_request *r)
{
	struct held_file *file = find_file(s, r->file);

	if (!file)
		return JAIL_UNKNOWN_FILE;
	if (file->truncated)
		return JAIL_TRUNCATED;
	use_file(s, file);
	if (file->cfi.file)
		return status_of(table_compile(&file->cfi, r->page, &s->page));
	s->page.row_count = 0;
	s->page.rule_count = 0;
	return JAIL_OK;
}

static int serve_page(struct serve *s)
{
	struct jail_page_answer a = { 0 };
	struct jail_page_request r;

	memcpy(&r, s->body, sizeof(r));
	a.status = compile_page(s, &r);
	if (a.status == JAIL_OK) {
		a.rows = s->page.row_count;
		a.rules = a.rows ? s->page.rule_count : 0;
	}
	return answer(s, (struct iovec[3]){ { &a, sizeof(a) },
					    { s->page.rules, a.rules * sizeof(s->page.rules[0]) },
					    { s->page.rows, a.rows * sizeof(s->page.rows[0]) } });
}

static enum snapshot_tables find_tables(void *files, uint32_t id, const struct cfi **ret)
{
	struct serve *s = files;
	struct held_file *file = find_file(s, id);

	if (!file)
		return SNAPSHOT_UNKNOWN;
	if (file->truncated)
		return SNAPSHOT_UNUSABLE;
	if (!file->cfi.file)
		return file->elf.go ? SNAPSHOT_FRAME_POINTERS : SNAPSHOT_UNUSABLE;
	use_file(s, file);
	*ret = &file->cfi;
	return SNAPSHOT_TABLES;
}

static bool walk_is_whole(const struct serve *s)
{
	struct jail_walk_request r;

	memcpy(&r, s->body, sizeof(r));
	return r.mappings <= JAIL_MAPPINGS_MAX && r.stack_bytes <= JAIL_STACK_MAX &&
	       s->request.size ==
		       sizeof(r) + r.mappings * sizeof(struct jail_mapping) + r.stack_bytes;
}

static int serve_walk(struct serve *s)
{
	const struct jail_walk_request *r = (const void *)s->body;
	const struct jail_mapping *mappings = (const void *)(s->body + sizeof(*r));
	const struct snapshot snapshot = {
		.request = r,
		.mappings = mappings,
		.stack = (const uint8_t *)(mappings + r->mappings),
		.find = find_tables,
		.files = s,
	};
	struct jail_walk_answer a = { .status = JAIL_REFUSED };

	if (r->machine == JAIL_MACHINE)
		snapshot_walk(s->space, &snapshot, &a, s->frames);
	return answer(s, (struct iovec[3]){ { &a, sizeof(a) },
					    { s->frames, a.frames * sizeof(s->frames[0]) } });
}

static bool names_is_whole(const struct serve *s)
{
	return naming_file_is_whole(s->body, s->request.size);
}

static bool jit_is_whole(const struct serve *s)
{
	return naming_jit_is_whole(s->body, s->request.size);
}

static int answer_names(struct serve *s, enum jail_status status)
{
	struct name_answer *names = &s->naming.answer;
	struct jail_names_answer a = { .status = status };

	if (status == JAIL_OK) {
		a.stretches = names->count;
		a.text_bytes = names->text_bytes;
	}
	return answer(s, (struct iovec[3]){
				 { &a, sizeof(a) },
				 { names->stretches, a.stretches * sizeof(names->stretches[0]) },
				 { names->text, a.text_bytes } });
}

static int serve_names(struct serve *s)
{
	const struct jail_names_request *r = (const void *)s->body;
	struct held_file *file = r->file == JAIL_FILE_NONE ? NULL : find_file(s, r->file);

	if (!file)
		return answer_names(s, JAIL_UNKNOWN_FILE);
	if (file->truncated) {
		symtab_release(&s->naming.symtab); /* it may have been interrupted */
		return answer_names(s, JAIL_TRUNCATED);
	}
	use_file(s, file);
	return answer_names(s,
			    status_of(naming_file(&s->naming, &file->elf, &file->debug, s->body)));
}

static int serve_jit(struct serve *s)
{
	return answer_names(s, status_of(naming_jit(&s->naming, s->received_fd, s->body)));
}

static int serve_forget(struct serve *s)
{
	struct jail_forget_answer a = { .status = JAIL_OK };
	struct jail_forget_request r;
	struct held_file *file;

	memcpy(&r, s->body, sizeof(r));
	file = find_file(s, r.file);
	if (file)
		drop_file(file);
	return answer(s, (struct iovec[3]){ { &a, sizeof(a) } });
}

static const struct request_kind {
	size_t size; /* of its body, at least */
	int (*serve)(struct serve *s);
	bool (*is_whole)(const struct serve *s); /* of a body that may be larger than size */
	uint32_t cpu_ms;			 /* 0: SERVE_CPU_MS */
} kinds[JAIL_TYPES] = {
	[JAIL_FILE] = { sizeof(struct jail_file_request), serve_file, NULL, 0 },
	[JAIL_PAGE] = { sizeof(struct jail_page_request), serve_page, NULL, 0 },
	[JAIL_WALK] = { sizeof(struct jail_walk_request), serve_walk, walk_is_whole, 0 },
	[JAIL_FORGET] = { sizeof(struct jail_forget_request), serve_forget, NULL, 0 },
	[JAIL_DEBUG] = { sizeof(struct jail_debug_request), serve_debug, NULL, 0 },
	[JAIL_NAMES] = { sizeof(struct jail_names_request), serve_names, names_is_whole,
			 SERVE_NAMES_CPU_MS },
	[JAIL_JIT] = { sizeof(struct jail_jit_request), serve_jit, jit_is_whole,
		       SERVE_NAMES_CPU_MS },
};

/*
 * The file that was being read has become shorter. The request is served once more, and finds that
 * file refused; so that ends, since there are not more files than places.
 */
static int give_up_busy_file(struct serve *s)
{
	if (!s->busy)
		return -EFAULT;
	if (s->request.type == JAIL_FILE)
		drop_file(s->busy);
	else if (s->request.type == JAIL_DEBUG)
		drop_debug(s->busy); /* nothing else was read */
	else
		s->busy->truncated = true;
	s->busy = NULL;
	s->interrupted = true;
	return 0;
}

static void limit_cpu(suseconds_t us)
{
	const struct itimerval limit = { .it_value.tv_usec = us };

	setitimer(ITIMER_PROF, &limit, NULL);
}

/* Return: 1 for another one, 0 at the end, or -errno. */
static int serve_one(struct serve *s)
{
	const struct request_kind *kind;
	int err = receive(s, &s->request, sizeof(s->request));

	if (err <= 0)
		return err;
	kind = s->request.type < JAIL_TYPES ? &kinds[s->request.type] : &kinds[JAIL_HELLO];
	if (s->request.version != JAIL_VERSION || !kind->serve || s->request.size < kind->size ||
	    s->request.size > (kind->is_whole ? sizeof(s->body) : kind->size))
		return -EPROTO;
	err = receive(s, s->body, s->request.size);
	if (err <= 0)
		return err ? err : -EPROTO;
	if (kind->is_whole && !kind->is_whole(s))
		return -EPROTO;
	s->busy = NULL;
	s->interrupted = false;
	limit_cpu((kind->cpu_ms ? kind->cpu_ms : SERVE_CPU_MS) * 1000);
	err = sigsetjmp(file_ended, 0) ? give_up_busy_file(s) : 0;
	if (!err)
		err = kind->serve(s);
	limit_cpu(0);
	return err ? err : 1;
}

struct serve *serve_open(int socket)
{
	static struct serve only;
	struct sigaction action = { .sa_handler = on_sigbus, .sa_flags = SA_NODEFER };

	only.socket = socket;
	only.received_fd = -1;
	only.space = snapshot_space();
	/* libunwind has opened a pipe, for looking into its own process: not with our help. */
	for (int fd = 0; fd < socket; fd++)
		close(fd);
	if (!only.space || sigaction(SIGBUS, &action, NULL))
		return NULL;
	return &only;
}

int serve_hello(struct serve *s, const char *refusal)
{
	struct jail_hello hello = { .status = refusal ? JAIL_REFUSED : JAIL_OK };

	if (refusal)
		snprintf(hello.text, sizeof(hello.text), "%s", refusal);
	s->request = (struct jail_header){ .type = JAIL_HELLO };
	return answer(s, (struct iovec[3]){ { &hello, sizeof(hello) } });
}

int serve_run(struct serve *s)
{
	int err;

	do {
		err = serve_one(s);
		close_received(s);
		give_pages_back(s);
	} while (err > 0);
	return err;
}
