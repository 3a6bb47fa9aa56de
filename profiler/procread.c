// SPDX-License-Identifier: Apache-2.0
/*
 * procread.c - what /proc says of one process, now.
 *
 * All text goes through proctext. Invariant: memory does not depend on what is read, except for the
 * list of ids: a line that does not fit is skipped.
 */
#include "profiler/procread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path has at most 4095 bytes, the rest of a line of maps about 80. */
#define MAPS_BUFFER 16384

/* Up to a dozen hierarchies of version 1, with paths of containers; what is longer is cut. */
#define CGROUP_BUFFER 8192

/* What we look for is in the first lines; before it are the groups of the user, of which large
 * organisations make a thousand. */
#define STATUS_BUFFER 16384

#define PROC_PATH 64

/*
 * PROCMAP_QUERY of include/uapi/linux/fs.h (6.11), which the build's headers may not have: the
 * mapping that covers an address, or with two flags the next one that is executable, and on demand
 * its build id, in one ioctl on /proc/PID/maps.
 */
struct map_query {
	uint64_t size;
	uint64_t flags;
	uint64_t addr;
	uint64_t map_start;
	uint64_t map_end;
	uint64_t map_flags;
	uint64_t page_size;
	uint64_t file_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t name_size;
	uint32_t build_id_size;
	uint64_t name;
	uint64_t build_id;
};

#define MAP_QUERY	     _IOWR('f', 17, struct map_query)
#define MAP_QUERY_EXECUTABLE 0x04
#define MAP_QUERY_OR_NEXT    0x10

_Static_assert(sizeof(struct map_query) == 104, "as the kernel has it");

/* The whole of a small file, below a directory unless the path begins with '/'; returns its bytes
 * or -errno. */
static ssize_t read_file_at(int dir, const char *path, char *buffer, size_t room)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buffer, room);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

static ssize_t read_file(const char *path, char *buffer, size_t room)
{
	return read_file_at(AT_FDCWD, path, buffer, room);
}

int procread_stat(uint32_t pid, struct proctext_stat *ret)
{
	char path[PROC_PATH], text[1024];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	n = read_file(path, text, sizeof(text));
	return n < 0 ? (int)n : proctext_parse_stat(text, (size_t)n, ret);
}

int procread_comm(uint32_t pid, uint32_t tid, char ret[16])
{
	char path[PROC_PATH], text[16];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, tid);
	n = read_file(path, text, sizeof(text));
	if (n <= 0)
		return n ? (int)n : -ESRCH;
	text[n - 1] = '\0'; /* the newline, or what a kernel worker adds to its name */
	memcpy(ret, text, (size_t)n);
	return 0;
}

static int read_status(int dir, const char *path, struct proctext_status *ret)
{
	char text[STATUS_BUFFER];
	ssize_t n = read_file_at(dir, path, text, sizeof(text));

	return n < 0 ? (int)n : proctext_parse_status(text, (size_t)n, ret);
}

int procread_status(uint32_t pid, struct proctext_status *ret)
{
	char path[PROC_PATH];

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	return read_status(AT_FDCWD, path, ret);
}

uint64_t procread_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

/* Where it cannot be told: "". */
static void read_cgroup(int dir, uint32_t pid, char ret[PROCREAD_CGROUP])
{
	char text[CGROUP_BUFFER];
	struct proctext_cgroup cgroup;
	struct proctext_stat stat;
	ssize_t n = read_file_at(dir, "cgroup", text, sizeof(text));

	*ret = '\0';
	if (n < 0 || proctext_parse_cgroup(text, (size_t)n, &cgroup) ||
	    cgroup.path_size >= PROCREAD_CGROUP)
		return;
	if (cgroup.or_exiting && (procread_stat(pid, &stat) || stat.exiting))
		return;
	memcpy(ret, cgroup.path, cgroup.path_size);
	ret[cgroup.path_size] = '\0';
}

/* Most processes have our pid namespace, and to see that is cheaper than the text of status. */
static int read_inner_pid(int dir, uint64_t own_namespace, uint32_t *ret)
{
	struct proctext_status status;
	struct stat st;
	int err;

	if (own_namespace && fstatat(dir, "ns/pid", &st, 0) == 0 && st.st_ino == own_namespace) {
		*ret = 0;
		return 0;
	}
	err = read_status(dir, "status", &status);
	if (!err)
		*ret = status.inner_pid;
	return err;
}

/* All through one directory: so they are about one process. */
int procread_who(uint32_t pid, uint64_t own_namespace, struct procread_who *ret)
{
	char path[PROC_PATH];
	struct stat st;
	int dir, err;

	snprintf(path, sizeof(path), "/proc/%u", pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	err = fstat(dir, &st) ? -errno : 0;
	if (!err) {
		ret->uid = st.st_uid;
		read_cgroup(dir, pid, ret->cgroup);
		err = read_inner_pid(dir, own_namespace, &ret->inner_pid);
	}
	close(dir);
	return err;
}

static int append_id(uint32_t **ids, int *count, const char *name)
{
	char *end;
	unsigned long id = strtoul(name, &end, 10);
	uint32_t *larger;

	if (*name < '0' || *name > '9' || *end || id > INT_MAX)
		return 0;
	/* Powers of two are where the array is full. */
	if ((*count & (*count - 1)) == 0) {
		larger = realloc(*ids, (*count ? 2 * (size_t)*count : 1) * sizeof(**ids));
		if (!larger)
			return -ENOMEM;
		*ids = larger;
	}
	(*ids)[(*count)++] = (uint32_t)id;
	return 0;
}

int procread_ids(const char *path, uint32_t **ret)
{
	DIR *dir = opendir(path);
	uint32_t *ids = NULL;
	struct dirent *entry;
	int count = 0, err = 0;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir)))
		err = append_id(&ids, &count, entry->d_name);
	closedir(dir);
	if (err) {
		free(ids);
		return err;
	}
	*ret = ids;
	return count;
}

/* Adds the mapping of a line, which is terminated, if it is executable. */
static void take_line(const char *line, size_t size, struct image_set *set, struct image **image,
		      uint64_t *refused)
{
	struct proctext_map map;
	struct map_info info;

	if (proctext_parse_map(line, size, &map) || !map.executable)
		return;
	info = (struct map_info){
		.start = map.start,
		.size = map.end - map.start,
		.file_offset = map.file_offset,
		.inode = map.inode,
		.dev_major = map.dev_major,
		.dev_minor = map.dev_minor,
		.path = map.path,
	};
	if (image_map(set, image, &info))
		*refused += 1;
}

/* Takes the whole lines at the start of the buffer; returns how many bytes they are. */
static size_t take_lines(char *buffer, size_t size, struct image_set *set, struct image **image,
			 uint64_t *refused)
{
	size_t done = 0;
	char *newline;

	while ((newline = memchr(buffer + done, '\n', size - done))) {
		*newline = '\0';
		take_line(buffer + done, (size_t)(newline - buffer) - done, set, image, refused);
		done = (size_t)(newline - buffer) + 1;
	}
	return done;
}

/*
 * The executable mappings one by one: about a fifth of all, and no text is written and read.
 * Returns -errno where the kernel cannot be asked, or cannot tell of this process; the text can be
 * read then, for a mapping that is put in twice is there once.
 */
static int query_maps(int fd, struct image_set *set, struct image **image, uint64_t *refused)
{
	char path[PATH_MAX];
	struct map_query query = { 0 };

	for (uint64_t at = 0;; at = query.map_end) {
		struct map_info info;

		query = (struct map_query){
			.size = sizeof(query),
			.flags = MAP_QUERY_EXECUTABLE | MAP_QUERY_OR_NEXT,
			.addr = at,
			.name_size = sizeof(path),
			.name = (uintptr_t)path,
		};
		if (ioctl(fd, MAP_QUERY, &query)) /* behind the last; or without memory by now */
			return errno == ENOENT || errno == ESRCH ? 0 : -errno;
		info = (struct map_info){
			.start = query.map_start,
			.size = query.map_end - query.map_start,
			.file_offset = query.file_offset,
			.inode = query.inode,
			.dev_major = query.dev_major,
			.dev_minor = query.dev_minor,
			.path = query.name_size ? path : "",
		};
		if (image_map(set, image, &info))
			*refused += 1;
	}
}

static int read_maps(int fd, struct image_set *set, struct image **image, uint64_t *refused)
{
	char buffer[MAPS_BUFFER];
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, buffer + used, sizeof(buffer) - used)) > 0) {
		size_t done;

		used += (size_t)n;
		done = take_lines(buffer, used, set, image, refused);
		if (!done && used == sizeof(buffer))
			done = used; /* no such line comes from the kernel */
		used -= done;
		memmove(buffer, buffer + done, used);
	}
	return n < 0 ? -errno : 0;
}

int procread_maps(uint32_t pid, struct image_set *set, struct image **image, uint64_t *refused)
{
	char path[PROC_PATH];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = query_maps(fd, set, image, refused);
	if (err)
		err = read_maps(fd, set, image, refused);
	close(fd);
	return err;
}

int procread_build_id(uint32_t pid, const struct mapping *map, uint8_t ret[BUILD_ID_MAX])
{
	const struct mapped_file *file = map->region->file;
	struct map_query query = {
		.size = sizeof(query),
		.addr = map->start,
		.build_id_size = BUILD_ID_MAX,
		.build_id = (uintptr_t)ret,
	};
	char path[PROC_PATH];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = ioctl(fd, MAP_QUERY, &query) ? -errno : 0;
	close(fd);
	if (err)
		return err;
	if (query.inode != file->inode || query.dev_major != file->dev_major ||
	    query.dev_minor != file->dev_minor)
		return -ESTALE;
	return query.build_id_size ? (int)query.build_id_size : -ENODATA;
}
