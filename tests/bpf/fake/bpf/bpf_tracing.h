/* SPDX-License-Identifier: Apache-2.0 */
/* bpf_tracing.h - stands in for libbpf's header, see bpf_helpers.h beside it. x86_64 only. */
#ifndef PROFILER_FAKE_BPF_TRACING_H
#define PROFILER_FAKE_BPF_TRACING_H

#define PT_REGS_IP(regs) ((regs)->rip)

#endif /* PROFILER_FAKE_BPF_TRACING_H */
