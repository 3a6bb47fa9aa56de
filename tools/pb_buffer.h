/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_buffer.h - protobuf messages in memory, a field at a time: for those that hold more than is to
 * be kept unpacked.
 *
 * The first failure is kept, and nothing is added any more: callers look at the end.
 */
#ifndef PROFILER_PB_BUFFER_H
#define PROFILER_PB_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

/* All zero is an empty one. */
struct pb_buffer {
	uint8_t *data;
	size_t bytes;
	size_t room;
	int err;
};

/** pb_put_message() - a field that is a message */
void pb_put_message(struct pb_buffer *b, uint32_t field, const ProtobufCMessage *message);

/** pb_put_fields() - the fields of a message, as if they were the buffer's own */
void pb_put_fields(struct pb_buffer *b, const ProtobufCMessage *message);

/** pb_put_bytes() - a field that is a string, or a message that is packed already */
void pb_put_bytes(struct pb_buffer *b, uint32_t field, const void *data, size_t bytes);

/** pb_put_buffer() - the same from another buffer, whose failure becomes ours; it is emptied */
void pb_put_buffer(struct pb_buffer *b, uint32_t field, struct pb_buffer *from);

/** pb_append() - the fields of another buffer, whose failure becomes ours; it is emptied */
void pb_append(struct pb_buffer *b, struct pb_buffer *from);

/** pb_release() - free what it owns; an empty one afterwards */
void pb_release(struct pb_buffer *b);

#endif /* PROFILER_PB_BUFFER_H */
