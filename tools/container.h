/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.h - the container that a cgroup belongs to.
 */
#ifndef PROFILER_CONTAINER_H
#define PROFILER_CONTAINER_H

#include <stddef.h>

/* Digits of an id, and as many as people use of it. */
#define CONTAINER_ID_DIGITS    64
#define CONTAINER_SHORT_DIGITS 12

/**
 * container_find() - the id of a container in the path of a cgroup
 * @cgroup: as /proc/PID/cgroup has it: "/system.slice/docker-0123...cdef.scope"
 *
 * Container engines (docker, containerd, cri-o, podman, with and without Kubernetes) name the
 * cgroup of a container by its id of 64 hexadecimal digits, with their own words around. Where
 * containers are nested it is the innermost. The processes that watch over a container from
 * outside ("conmon") are not in it.
 *
 * Return: CONTAINER_ID_DIGITS digits within @cgroup, or NULL: in no container that can be told.
 */
const char *container_find(const char *cgroup);

#endif /* PROFILER_CONTAINER_H */
