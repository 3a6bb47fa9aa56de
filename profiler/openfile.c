// SPDX-License-Identifier: Apache-2.0
/*
 * openfile.c - open the file behind a mapping of another process, whatever that process does.
 *
 * A path is first opened as a place (O_PATH), which touches nothing; only when it is a regular file
 * is that same file opened for reading. So nothing can be put in its place in between, and no
 * FIFO, terminal or device notices. Invariant: no path of the process's choice is followed but
 * below the process's root (or ours), without magic links.
 */
#include "profiler/openfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "profiler/proctext.h"

#define PROC_PATH 64

/* What may follow a path in the kernel's lists of mappings, of a file that is unlinked. */
#define DELETED " (deleted)"

static bool is_the_mapped_file(const struct stat *st, const struct openfile_mapping *map)
{
	return map->inode && st->st_ino == map->inode && major(st->st_dev) == map->dev_major &&
	       minor(st->st_dev) == map->dev_minor;
}

/* The place of a mapping itself: right even if the path has gone or names another file by now. */
static int place_of_mapping(const struct openfile_mapping *map)
{
	char link[PROC_PATH];
	int fd;

	snprintf(link, sizeof(link), "/proc/%u/map_files/%jx-%jx", map->pid, (uintmax_t)map->start,
		 (uintmax_t)map->end);
	fd = open(link, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The place of a path as a process with that root sees it. @flags: O_NOFOLLOW, or 0. */
static int place_below(const char *root, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root_fd < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(root_fd);
	return fd;
}

/* Opens for reading what a place is; the place is closed. */
static int open_place(int place, struct stat *ret)
{
	char link[PROC_PATH];
	int fd;

	if (fstat(place, ret))
		fd = -errno;
	else if (!S_ISREG(ret->st_mode))
		fd = -EINVAL;
	else if (ret->st_size > (off_t)OPENFILE_BYTES_MAX)
		fd = -EFBIG;
	else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
		fd = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			fd = -errno;
	}
	close(place);
	return fd;
}

int openfile_below(const char *root, const char *path, struct stat *ret)
{
	struct stat st;
	int place = place_below(root, path, O_NOFOLLOW);
	int fd = place < 0 ? place : open_place(place, &st);

	if (fd >= 0)
		*ret = st;
	return fd;
}

/*
 * Does the mapping still have the file of that path? Some file systems show other devices in the
 * list of mappings than in stat(), but the kernel names them alike in both places.
 */
static bool links_to(const struct openfile_mapping *map)
{
	char link[PROC_PATH], target[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%u/map_files/%jx-%jx", map->pid, (uintmax_t)map->start,
		 (uintmax_t)map->end);
	n = readlink(link, target, sizeof(target));
	return n > 0 && (size_t)n == strlen(map->path) && memcmp(target, map->path, (size_t)n) == 0;
}

int openfile_open(const struct openfile_mapping *map, bool *ret_certain)
{
	char root[PROC_PATH];
	struct stat st;
	size_t n = strlen(map->path);
	int place = place_of_mapping(map);
	int fd;

	if (place >= 0) {
		fd = open_place(place, &st);
		if (fd >= 0)
			*ret_certain = is_the_mapped_file(&st, map) || links_to(map);
		return fd;
	}
	if (map->path[0] != '/' ||
	    (n >= strlen(DELETED) && strcmp(map->path + n - strlen(DELETED), DELETED) == 0))
		return -ENOENT;
	snprintf(root, sizeof(root), "/proc/%u/root", map->pid);
	place = place_below(root, map->path, O_NOFOLLOW);
	if (place < 0)
		place = place_below("/", map->path, O_NOFOLLOW);
	if (place < 0)
		return place;
	fd = open_place(place, &st);
	if (fd >= 0)
		*ret_certain = is_the_mapped_file(&st, map);
	return fd;
}

#define DEBUG_DIR "/usr/lib/debug"

/* Where a debug file may be; DIR is that of the file. */
enum debug_place {
	DEBUG_BY_BUILD_ID,  /* DEBUG_DIR/.build-id/12/3456.debug */
	DEBUG_BESIDE,	    /* DIR/LINK */
	DEBUG_IN_DOT_DEBUG, /* DIR/.debug/LINK */
	DEBUG_IN_DEBUG_DIR, /* DEBUG_DIR/DIR/LINK */
	DEBUG_PLACES,
};

/* DEBUG_DIR/.build-id/12/3456.debug; false without a build id. */
static bool path_by_build_id(const struct openfile_debug *d, char path[static PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, DEBUG_DIR "/.build-id/");

	if (d->build_id_size < 2)
		return false;
	for (int i = 0; i < d->build_id_size; i++)
		n += snprintf(path + n, PATH_MAX - (size_t)n, "%s%02x", i == 1 ? "/" : "",
			      d->build_id[i]);
	snprintf(path + n, PATH_MAX - (size_t)n, ".debug");
	return true;
}

/* False if nothing can be there. */
static bool debug_path(const struct openfile_debug *d, enum debug_place place,
		       char path[static PATH_MAX])
{
	static const char *const before[DEBUG_PLACES] = { [DEBUG_IN_DEBUG_DIR] = DEBUG_DIR };
	static const char *const between[DEBUG_PLACES] = { [DEBUG_IN_DOT_DEBUG] = "/.debug" };
	const char *name = strrchr(d->path, '/');
	int n;

	if (place == DEBUG_BY_BUILD_ID)
		return path_by_build_id(d, path);
	if (d->path[0] != '/' || !d->debug_link[0] || strchr(d->debug_link, '/'))
		return false;
	/* It may be named as the file is, and then is not there. */
	if (place == DEBUG_BESIDE && strcmp(name + 1, d->debug_link) == 0)
		return false;
	n = snprintf(path, PATH_MAX, "%s%.*s%s/%s", before[place] ? before[place] : "",
		     (int)(name - d->path), d->path, between[place] ? between[place] : "",
		     d->debug_link);
	return n < PATH_MAX;
}

int openfile_debug(const struct openfile_debug *wanted, unsigned int *at)
{
	char root[PROC_PATH], path[PATH_MAX];
	struct stat st;

	snprintf(root, sizeof(root), "/proc/%u/root", wanted->pid);
	while (*at < 2 * DEBUG_PLACES) {
		const char *below = *at < DEBUG_PLACES ? root : "/";
		int fd = -ENOENT;

		if (debug_path(wanted, (enum debug_place)(*at % DEBUG_PLACES), path))
			fd = place_below(below, path, 0);
		++*at;
		if (fd >= 0)
			fd = open_place(fd, &st);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

/* A copy of a part of our own memory, which cannot change any more. */
static int sealed_copy(const void *data, size_t size)
{
	int fd = memfd_create("vdso", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = 0;

	if (fd < 0)
		return -errno;
	for (size_t done = 0; !err && done < size;) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n > 0)
			done += (size_t)n;
		else
			err = n < 0 ? -errno : -EIO;
	}
	if (!err &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Our own mapping that begins at an address: its size, or 0. */
static size_t size_of_mapping(uint64_t start)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct proctext_map map;
	char line[PATH_MAX + 128];
	size_t size = 0;

	if (!maps)
		return 0;
	while (!size && fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		if (!proctext_parse_map(line, strlen(line), &map) && map.start == start)
			size = map.end - map.start;
	}
	fclose(maps);
	return size;
}

int openfile_vdso(void)
{
	unsigned long start = getauxval(AT_SYSINFO_EHDR);
	size_t size = start ? size_of_mapping(start) : 0;

	return size ? sealed_copy((const void *)start, size) : -ENOENT;
}
