/* SPDX-License-Identifier: Apache-2.0 */
/*
 * busy_bpf.c - a BPF program that keeps a CPU busy: names_busy, run over and over by
 * BPF_PROG_TEST_RUN. Prints the name that the kernel gives its code.
 */
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/names/steady.h"

#define MULTIPLICATIONS 1000
#define REPEAT		200
#define TAG_BYTES	8

static int sys_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load_busy(void)
{
	struct bpf_insn code[MULTIPLICATIONS + 2] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 3 },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uint64_t)code,
		.insn_cnt = MULTIPLICATIONS + 2,
		.license = (uint64_t) "GPL",
		.prog_name = "names_busy",
	};

	for (int i = 1; i <= MULTIPLICATIONS; i++)
		code[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MUL | BPF_K,
					     .dst_reg = BPF_REG_0,
					     .imm = 7 };
	code[MULTIPLICATIONS + 1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

static bool print_name(int program)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { .info.bpf_fd = (uint32_t)program,
				.info.info_len = sizeof(info),
				.info.info = (uint64_t)&info };

	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		return false;
	printf("{\"function\": \"bpf_prog_");
	for (int i = 0; i < TAG_BYTES; i++)
		printf("%02x", info.tag[i]);
	printf("_names_busy\"}\n");
	return true;
}

static WORKLOAD bool run_busy(int program)
{
	static unsigned char packet[64];
	union bpf_attr attr = { .test.prog_fd = (uint32_t)program,
				.test.data_in = (uint64_t)packet,
				.test.data_size_in = sizeof(packet),
				.test.repeat = REPEAT };

	return sys_bpf(BPF_PROG_TEST_RUN, &attr) == 0;
}

int main(int argc, char **argv)
{
	struct span span = span_begin(argc, argv);
	int program = load_busy();

	if (program < 0 || !print_name(program)) {
		perror("busy_bpf");
		return 1;
	}
	while (span_next(&span))
		if (!run_busy(program)) {
			perror("busy_bpf: run");
			return 1;
		}
	return 0;
}
