// SPDX-License-Identifier: Apache-2.0
/*
 * unwind_memory.c - shards of the walker's rows: made, shown to the programs, dropped.
 *
 * A shard is an array of one element, and an element of the map of shards. The kernel keeps it
 * while it is there or mapped, so no descriptor stays open. Both calls that change the map of
 * shards return when no program can hold the old element any more.
 */
#include "profiler/unwind_memory.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHARD_BYTES (UNWIND_SHARD_ROWS * sizeof(struct unwind_row))

int unwind_memory_make_shard(int shards_fd, uint32_t shard, struct unwind_row **ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd, err = 0;
	void *rows;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_shard", sizeof(shard), SHARD_BYTES, 1,
			    &options);
	if (fd < 0)
		return -errno;
	rows = mmap(NULL, SHARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (rows == MAP_FAILED) {
		err = -errno;
	} else if (bpf_map_update_elem(shards_fd, &shard, &fd, BPF_ANY)) {
		err = -errno;
		munmap(rows, SHARD_BYTES);
	}
	close(fd);
	if (!err)
		*ret = rows;
	return err;
}

void unwind_memory_unmap_shard(struct unwind_row *rows)
{
	munmap(rows, SHARD_BYTES);
}

void unwind_memory_drop_shard(int shards_fd, uint32_t shard, struct unwind_row *rows)
{
	bpf_map_delete_elem(shards_fd, &shard);
	munmap(rows, SHARD_BYTES);
}
