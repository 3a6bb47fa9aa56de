/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.c - from bytes to validated packets. See reader.h.
 *
 *   read() -> buffer -> packet_check() -> unpack into the arena -> validate -> take over -> tool
 *                            |                                        |
 *                  not a packet: search on              refused: the whole packet is skipped
 *
 * Invariant: what a tool sees comes from packets whose CRC was right and all of whose content was
 * in bounds. A packet that is refused changes nothing but the counters of damage.
 *
 * Looking for the next packet begins one byte behind where the last attempt began, so a length
 * that was damaged hides nothing.
 */
#include "proto/reader.h"

#include <errno.h>
#include <sanitizer/asan_interface.h> /* macros only; empty without ASan */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/packet.h"
#include "proto/region.h"
#include "proto/unpack_packet.h"

/* Read at most this much at once: large enough for few system calls, small enough for the cache. */
#define READ_SIZE ((size_t)256 << 10)

/* The largest packet, and a read behind it. */
#define BUFFER_SIZE (PACKET_TOTAL_MAX + READ_SIZE)

/* An arena that a packet blew up beyond this gives its memory back. */
#define ARENA_KEEP ((size_t)4 << 20)

/*
 * CRCs over candidates that turn out wrong may cost this many bytes for each byte of input.
 * Damage by accident stays near 1. Markers sown densely with large lengths would otherwise make
 * the search quadratic.
 */
#define WASTE_FACTOR 8
#define WASTE_FLOOR  ((uint64_t)16 << 20)

/* Weights have 32 bits and are shifted into 64. */
#define WEIGHT_SHIFT_MAX 31

#define NONE UINT64_MAX

struct reader {
	int fd; /* -1: memory */
	const uint8_t *memory;
	size_t memory_bytes;
	bool eof;

	uint8_t *buffer;
	size_t begin; /* of what was not looked at yet */
	size_t end;

	struct region arena; /* of the packet given out */
	ProtobufCAllocator allocator;
	struct tables *tables;
	Profiler__Header *header;
	Profiler__Ledger *ledger;

	uint64_t next_sequence;
	uint64_t next_sample;
	uint64_t packets;
	uint64_t bytes;
	struct reader_damage damage;

	uint64_t skipped;    /* bytes since the last whole packet */
	uint64_t incomplete; /* where in them a packet began that the end of input cut, or NONE */
	uint64_t wasted;     /* bytes of CRCs that were wrong */
	bool marked;	     /* a marker was seen: this is a stream, whole or not */

	bool finished;
	int result; /* what reader_next() gives once finished */
};

/* Red zones, and poison on what is not given out, let ASan see what runs over in the arena. */
static void *arena_alloc(void *data, size_t size)
{
	struct region *arena = data;
	size_t at = arena->used;
	size_t room = (size + 15 + 16) & ~(size_t)15;

	if (size > arena->limit || !region_need(arena, at + room))
		return NULL;
	arena->used = at + room;
	ASAN_POISON_MEMORY_REGION(arena->base + at, room);
	ASAN_UNPOISON_MEMORY_REGION(arena->base + at, size);
	return arena->base + at;
}

static void arena_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

static void arena_reset(struct region *arena)
{
	ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->usable);
	if (arena->used > ARENA_KEEP)
		region_clear(arena);
	arena->used = 0;
}

static int open_reader(struct reader **ret, int fd, const void *memory, size_t bytes)
{
	struct reader *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return -ENOMEM;
	r->fd = fd;
	r->memory = memory;
	r->memory_bytes = bytes;
	r->incomplete = NONE;
	r->buffer = malloc(BUFFER_SIZE);
	if (!r->buffer)
		goto err;
	err = region_open(&r->arena, READER_MAX_UNPACKED);
	if (err)
		goto err;
	err = tables_open(&r->tables);
	if (err)
		goto err;
	r->allocator = (ProtobufCAllocator){ arena_alloc, arena_free, &r->arena };
	*ret = r;
	return 0;
err:
	reader_free(r);
	return err;
}

int reader_open(struct reader **ret, int fd)
{
	return open_reader(ret, fd, NULL, 0);
}

int reader_open_memory(struct reader **ret, const void *data, size_t bytes)
{
	return open_reader(ret, -1, data, bytes);
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	if (r->arena.base)
		arena_reset(&r->arena);
	region_free(&r->arena);
	tables_free(r->tables);
	if (r->header)
		profiler__header__free_unpacked(r->header, NULL);
	if (r->ledger)
		profiler__ledger__free_unpacked(r->ledger, NULL);
	free(r->buffer);
	free(r);
}

static ssize_t read_input(struct reader *r, uint8_t *to, size_t bytes)
{
	ssize_t n;

	if (r->fd < 0) {
		if (bytes > r->memory_bytes - r->bytes)
			bytes = r->memory_bytes - r->bytes;
		if (bytes)
			memcpy(to, r->memory + r->bytes, bytes);
		return (ssize_t)bytes;
	}
	do
		n = read(r->fd, to, bytes);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Gets more bytes behind those there are. The packet given out does not refer to the buffer. */
static int fill(struct reader *r)
{
	size_t room;
	ssize_t n;

	if (r->begin == r->end || BUFFER_SIZE - r->end < READ_SIZE / 4) {
		memmove(r->buffer, r->buffer + r->begin, r->end - r->begin);
		r->end -= r->begin;
		r->begin = 0;
	}
	room = BUFFER_SIZE - r->end;
	n = read_input(r, r->buffer + r->end, room < READ_SIZE ? room : READ_SIZE);
	if (n < 0)
		return (int)n;
	r->eof = n == 0;
	r->end += (size_t)n;
	r->bytes += (uint64_t)n;
	return 0;
}

/* Who leads whom does not change within a stream: tools build on it. */
static bool same_leaders(const Profiler__Header *a, const Profiler__Header *b)
{
	if (a->n_event != b->n_event)
		return false;
	for (size_t i = 0; i < a->n_event; i++)
		if (a->event[i]->leader != b->event[i]->leader)
			return false;
	return true;
}

static bool check_header(const struct reader *r, const Profiler__Header *h)
{
	uint32_t led[READER_MAX_EVENTS] = { 0 };

	if (!h->version || h->n_event > READER_MAX_EVENTS)
		return false;
	for (size_t i = 0; i < h->n_event; i++) {
		uint32_t leader = h->event[i]->leader;

		if (h->event[i]->weight_shift > WEIGHT_SHIFT_MAX || leader > i ||
		    (leader &&
		     (h->event[leader - 1]->leader || ++led[leader - 1] == READER_MAX_COUNTERS)))
			return false;
	}
	return !r->header || same_leaders(r->header, h);
}

static bool check_ledger(const Profiler__Ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_row; i++)
		if (ledger->row[i]->cpu >= READER_MAX_CPUS ||
		    ledger->row[i]->event >= READER_MAX_EVENTS)
			return false;
	return true;
}

static bool valid_column(size_t n, uint32_t count)
{
	return n <= 1 || n == count;
}

static bool check_counters(const Profiler__SampleBlock *b)
{
	if (b->n_counter > READER_MAX_COUNTERS || !valid_column(b->n_enabled_ns, b->count) ||
	    !valid_column(b->n_running_ns, b->count))
		return false;
	for (size_t i = 0; i < b->n_counter; i++) {
		if (!valid_column(b->counter[i]->n_count, b->count) ||
		    (i ? b->counter[i]->event <= b->counter[i - 1]->event
		       : b->counter[i]->event != b->event))
			return false;
	}
	return true;
}

static bool check_block(const Profiler__SampleBlock *b)
{
	return b->count && b->cpu < READER_MAX_CPUS &&
	       (!b->n_time_deviation || b->n_time_deviation == b->count) &&
	       valid_column(b->n_thread, b->count) && valid_column(b->n_user_stack, b->count) &&
	       valid_column(b->n_kernel_stack, b->count) && valid_column(b->n_weight, b->count) &&
	       valid_column(b->n_flags, b->count) && check_counters(b);
}

/*
 * The blocks of a packet of @size bytes. Each sample has at least a byte of its own, its time,
 * so @size bounds what a packet can make a tool do.
 */
static bool check_blocks(const Profiler__Packet *packet, size_t size)
{
	uint64_t samples = 0;

	for (size_t i = 0; i < packet->n_samples; i++) {
		if (!check_block(packet->samples[i]))
			return false;
		samples += packet->samples[i]->count;
	}
	return samples <= size;
}

static bool check_packet(const struct reader *r, const Profiler__Packet *packet, size_t size)
{
	if (packet->header && !check_header(r, packet->header))
		return false;
	if (packet->ledger && !check_ledger(packet->ledger))
		return false;
	if ((packet->definitions || packet->n_samples) && !packet->epoch)
		return false;
	if (packet->epoch && packet->epoch < tables_epoch(r->tables))
		return false;
	if (packet->definitions && tables_check(r->tables, packet->epoch, packet->definitions))
		return false;
	return check_blocks(packet, size);
}

/* A copy of a message with memory of its own, NULL when there is none. */
static ProtobufCMessage *copy_message(const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(size ? size : 1);
	ProtobufCMessage *copy = NULL;

	if (packed) {
		protobuf_c_message_pack(message, packed);
		copy = protobuf_c_message_unpack(message->descriptor, NULL, size, packed);
	}
	free(packed);
	return copy;
}

static int keep_header(struct reader *r, const Profiler__Header *header)
{
	Profiler__Header *copy = (Profiler__Header *)copy_message(&header->base);

	if (!copy)
		return -ENOMEM;
	if (r->header)
		profiler__header__free_unpacked(r->header, NULL);
	r->header = copy;
	return 0;
}

static int keep_ledger(struct reader *r, const Profiler__Ledger *ledger)
{
	Profiler__Ledger *copy = (Profiler__Ledger *)copy_message(&ledger->base);

	if (!copy)
		return -ENOMEM;
	if (r->ledger)
		profiler__ledger__free_unpacked(r->ledger, NULL);
	r->ledger = copy;
	return 0;
}

/* Did a header tell of the block's event, and that it leads those that the block has counts of? */
static bool is_known(const Profiler__Header *header, const Profiler__SampleBlock *b)
{
	size_t counters = 1; /* its own */

	if (!header || b->event >= header->n_event || header->event[b->event]->leader)
		return false;
	for (size_t i = 0; b->n_counter && i < header->n_event; i++) {
		if (header->event[i]->leader != b->event + 1)
			continue;
		if (counters == b->n_counter || b->counter[counters]->event != i)
			return false;
		counters++;
	}
	return !b->n_counter || counters == b->n_counter;
}

/* Leaves out the blocks of events that no header told of. */
static void drop_strange(struct reader *r, Profiler__Packet *packet)
{
	size_t kept = 0;

	for (size_t i = 0; i < packet->n_samples; i++) {
		Profiler__SampleBlock *b = packet->samples[i];

		if (is_known(r->header, b))
			packet->samples[kept++] = b;
		else
			r->damage.samples_strange += b->count;
	}
	packet->n_samples = kept;
}

/* Counts what is missing before a packet, and what it has itself. */
static void account(struct reader *r, const Profiler__Packet *packet)
{
	r->damage.packets_lost += packet->sequence - r->next_sequence;
	if (packet->first_sample > r->next_sample)
		r->damage.samples_lost += packet->first_sample - r->next_sample;
	r->next_sequence = packet->sequence + 1;
	r->next_sample = packet->first_sample;
	for (size_t i = 0; i < packet->n_samples; i++)
		r->next_sample += packet->samples[i]->count;
	r->packets++;
}

static int take_over(struct reader *r, Profiler__Packet *packet)
{
	int err = 0;

	account(r, packet);
	if (packet->header)
		err = keep_header(r, packet->header);
	if (!err && packet->ledger)
		err = keep_ledger(r, packet->ledger);
	if (!err && packet->epoch)
		err = tables_apply(r->tables, packet->epoch, packet->definitions);
	drop_strange(r, packet);
	return err;
}

/* A packet with a right CRC: 1 when @ret is for the tool, 0 when it was skipped, -errno. */
static int accept_packet(struct reader *r, const uint8_t *data, size_t size,
			 const Profiler__Packet **ret)
{
	Profiler__Packet *packet;
	int err;

	if (packet_sequence(data) < r->next_sequence) {
		r->damage.packets_strayed++;
		return 0;
	}
	arena_reset(&r->arena);
	packet = unpack_packet(&r->allocator, data + PACKET_FRAME, size - PACKET_FRAME);
	if (packet && packet->header && packet->header->version > STREAM_VERSION) {
		r->damage.version_too_new = packet->header->version;
		return -EPROTONOSUPPORT;
	}
	if (!packet || packet->sequence != packet_sequence(data) ||
	    packet->first_sample != packet_first_sample(data) || !check_packet(r, packet, size)) {
		r->damage.packets_damaged++;
		r->damage.bytes_skipped += size;
		return 0;
	}
	err = take_over(r, packet);
	if (err)
		return err;
	*ret = packet;
	return 1;
}

/* A whole packet ends a stretch of bytes that were none. */
static void end_skipping(struct reader *r)
{
	r->damage.bytes_skipped += r->skipped;
	if (r->incomplete != NONE)
		r->damage.packets_damaged++; /* its length was wrong, it was not the last one */
	r->skipped = 0;
	r->incomplete = NONE;
}

/* No whole packet begins here: on to the next place where one may. */
static void skip(struct reader *r, bool damaged)
{
	const uint8_t *data = r->buffer + r->begin;
	size_t there = r->end - r->begin;
	size_t claim = damaged ? packet_claim(data) : 0;
	size_t n = 1;

	if (damaged) {
		r->damage.packets_damaged++;
		r->wasted += claim;
		if (r->wasted > WASTE_FLOOR + WASTE_FACTOR * r->bytes && claim)
			n = claim < there ? claim : there;
	}
	n += packet_find(data + n, there - n);
	r->begin += n;
	r->skipped += n;
}

/* The input has ended: what is left was cut off, or is no stream at all. */
static int finish(struct reader *r)
{
	bool cut = r->incomplete != NONE;

	if (r->bytes && !r->marked && r->incomplete != 0)
		return -EBADMSG;
	r->damage.bytes_skipped += cut ? r->incomplete : r->skipped;
	r->damage.truncated_bytes = cut ? r->skipped - r->incomplete : 0;
	return 0;
}

/* One step: 1 with a packet, 0 to go on, -errno; sets finished at the end of the input. */
static int step(struct reader *r, const Profiler__Packet **ret)
{
	const uint8_t *data = r->buffer + r->begin;
	size_t there = r->end - r->begin;
	ssize_t size = packet_check(data, there);

	r->marked |= size != -ENOMSG && there >= PACKET_MARK;
	if (size > 0) {
		end_skipping(r);
		r->begin += (size_t)size;
		return accept_packet(r, data, (size_t)size, ret);
	}
	if (size == 0 && !r->eof)
		return fill(r);
	if (!there) {
		r->finished = true;
		return finish(r);
	}
	if (size == 0 && r->incomplete == NONE)
		r->incomplete = r->skipped;
	skip(r, size == -EBADMSG);
	return !r->marked && r->skipped > READER_MAX_SEARCH ? -EBADMSG : 0;
}

int reader_next(struct reader *r, const Profiler__Packet **ret)
{
	int result = 0;

	while (!r->finished && !result) {
		result = step(r, ret);
		if (r->finished || (result < 0 && result != -EAGAIN)) {
			r->finished = true;
			r->result = result;
		}
	}
	return r->finished ? r->result : result;
}

void reader_samples(const struct reader *r, const Profiler__SampleBlock *block,
		    struct sample_iter *ret)
{
	sample_iter_init(ret, block, r->header->event[block->event]->weight_shift);
}

const Profiler__Header *reader_header(const struct reader *r)
{
	return r->header;
}

const Profiler__Ledger *reader_ledger(const struct reader *r)
{
	return r->ledger;
}

const struct tables *reader_tables(const struct reader *r)
{
	return r->tables;
}

const struct reader_damage *reader_damage(const struct reader *r)
{
	return &r->damage;
}

bool reader_damaged(const struct reader *r)
{
	const struct reader_damage *d = &r->damage;

	return d->bytes_skipped || d->packets_damaged || d->packets_lost || d->samples_lost ||
	       d->packets_strayed || d->samples_strange || d->truncated_bytes || d->version_too_new;
}

uint64_t reader_packets(const struct reader *r)
{
	return r->packets;
}

uint64_t reader_bytes(const struct reader *r)
{
	return r->bytes;
}
