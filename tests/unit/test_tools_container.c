/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_container.c - the container in the path of a cgroup, as engines write it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "tools/container.h"

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define POD   "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod5e0c_1d2f.slice"

static void expect(const char *cgroup, const char *id)
{
	const char *found = container_find(cgroup);

	if (!id)
		cr_expect(found == NULL, "%s is in none, not in %s", cgroup, found);
	else
		cr_expect(found && !strncmp(found, id, CONTAINER_ID_DIGITS), "%s, not %s", cgroup,
			  found);
}

Test(tools_container, of_all_engines)
{
	expect("/docker/" ID, ID);
	expect("/system.slice/docker-" ID ".scope", ID);
	expect("/system.slice/docker-" ID ".scope/init/worker", ID);
	expect(POD "/cri-containerd-" ID ".scope", ID);
	expect("/kubepods/burstable/pod5e0c1d2f-97ad-4b6e-8a55-0bd9a7f6a8d1/" ID, ID);
	expect("/system.slice/containerd.service/kubepods:cri-containerd:" ID, ID);
	expect(POD "/crio-" ID ".scope", ID);
	expect("/machine.slice/libpod-" ID ".scope/container", ID);
	expect("/libpod_parent/libpod-" ID, ID);
	expect("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", ID);
}

Test(tools_container, the_innermost_of_nested_ones)
{
	expect("/docker/" ID "/docker/" OTHER, OTHER);
	expect("/docker/" ID "/system.slice/docker-" OTHER ".scope/x", OTHER);
}

Test(tools_container, none)
{
	expect("", NULL);
	expect("/", NULL);
	expect("/user.slice/user-1000.slice/session-2.scope", NULL);
	expect("/system.slice/docker.service", NULL);
	expect("/system.slice/docker-" ID "0.scope", NULL); /* 65 digits */
	expect("/system.slice/docker-1" ID ".scope", NULL);
	expect("/system.slice/docker-0123456789ab.scope", NULL);
	expect("/build-" ID "x", NULL); /* a word that goes on */
	expect("/X" ID, NULL);
	expect("/machine.slice/libpod-conmon-" ID ".scope", NULL);
	expect(POD "/crio-conmon-" ID ".scope", NULL);
}
