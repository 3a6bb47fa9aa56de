/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_stats.c - preloaded into a program that loads BPF programs, writes down how many
 * instructions the verifier went through for each.
 *
 * Kernels from 5.16 on tell that of a loaded program; before, only the verifier's log has it. So
 * each BPF_PROG_LOAD here asks for the last lines of the log (BPF_LOG_STATS, 5.2), unless the
 * caller wants a log of its own. The file is named by VERIFIER_STATS: lines of "NAME COUNT".
 * What the caller sees of its call is what it had seen without.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_STATS 4 /* BPF_LOG_STATS of include/linux/bpf_verifier.h */
#define LOG_BYTES 65536

typedef long (*syscall_function)(long number, ...);

static void write_down(const union bpf_attr *attr, const char *log)
{
	const char *count = strstr(log, "processed ");
	const char *path = getenv("VERIFIER_STATS");
	FILE *out = count && path ? fopen(path, "a") : NULL;

	if (!out)
		return;
	fprintf(out, "%.*s %ld\n", BPF_OBJ_NAME_LEN, attr->prog_name,
		strtol(count + strlen("processed "), NULL, 10));
	fclose(out);
}

static long load_with_log(syscall_function next, const union bpf_attr *from, size_t bytes)
{
	static char log[LOG_BYTES];
	union bpf_attr attr = { 0 };
	long fd;

	memcpy(&attr, from, bytes < sizeof(attr) ? bytes : sizeof(attr));
	attr.log_level = LOG_STATS;
	attr.log_size = sizeof(log);
	attr.log_buf = (__u64)(unsigned long)log;
	log[0] = '\0';
	fd = next(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd >= 0 && attr.prog_name[0])
		write_down(&attr, log);
	return fd;
}

/* In the place of the C library's, which libbpf calls for bpf(2). */
__attribute__((visibility("default"))) long syscall(long number, ...)
{
	syscall_function next = (syscall_function)dlsym(RTLD_NEXT, "syscall");
	long args[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf && args[0] == BPF_PROG_LOAD) {
		const union bpf_attr *attr = (const union bpf_attr *)args[1];

		if (!attr->log_level)
			return load_with_log(next, attr, (size_t)args[2]);
	}
	return next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
