/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jailcheck.h - is this an answer? The recorder's border control: bytes from the jail, which reads
 * hostile files and may have been taken over by one, become structs here or nothing.
 *
 * What passes keeps all that jail/jailwire.h and bpf/unwind.h promise: a table may still be wrong,
 * but every index, count, enum and string in it is good. Pure functions.
 */
#ifndef PROFILER_JAILCHECK_H
#define PROFILER_JAILCHECK_H

#include <stddef.h>

#include "jail/jailwire.h"

/**
 * jailcheck_header() - is this the header of the answer that is waited for?
 *
 * Return: 0, and header->size is one that an answer of this type may have; or -EPROTO.
 */
int jailcheck_header(const struct jail_header *header, enum jail_type type, uint64_t sequence)
	__attribute__((warn_unused_result));

/**
 * jailcheck_body() - what is behind the header
 * @body: @size bytes, aligned to 8
 *
 * Return: 0 or -EPROTO.
 */
int jailcheck_body(enum jail_type type, const void *body, size_t size)
	__attribute__((warn_unused_result));

/**
 * jailcheck_stretches() - do the stretches of JAIL_NAMES or JAIL_JIT answer what was asked?
 * @stretches: of an answer that jailcheck_body() has passed
 * @places: that were asked for, ascending
 *
 * Return: 0 when each stretch holds the first place that none before it has answered; or -EPROTO.
 */
int jailcheck_stretches(const struct jail_stretch *stretches, uint32_t count,
			const uint64_t *places, uint32_t place_count)
	__attribute__((warn_unused_result));

#endif /* PROFILER_JAILCHECK_H */
