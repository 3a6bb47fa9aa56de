// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * fakehw.c - a pretend CPU PMU, as a module for guests that have none; for tests alone.
 *
 * It answers for PERF_TYPE_HARDWARE's cycles and instructions, and for its own type "fakehw" with
 * the same numbers. A cycle is a nanosecond in which the event was on the CPU, and two of them are
 * an instruction: so whatever runs has 0.5 instructions a cycle, which is what a test can hold on
 * to. The counter overflows when a high-resolution timer says that the period must be over. So
 * unlike real ones it does so in a plain interrupt, not in an NMI, and is late when interrupts are
 * off.
 *
 * As the drivers of real PMUs do, it keeps to these rules: the count is up to date after stop() and
 * read(); a stopped event does not overflow, and one that the core throttles stops counting.
 */
#include <linux/hrtimer.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/sched/clock.h>
#include <asm/irq_regs.h>

#define SHORTEST_NS 10000 /* between two overflows, whatever period was asked for */

typedef int (*overflow_function)(struct perf_event *event, struct perf_sample_data *data,
				 struct pt_regs *regs);

/* perf_event_overflow(), which the kernel does not export to modules. */
static overflow_function overflow;

static unsigned int ns_per_count(const struct perf_event *event)
{
	return event->attr.config == PERF_COUNT_HW_INSTRUCTIONS ? 2 : 1;
}

static ktime_t time_of_period(const struct perf_event *event)
{
	return ns_to_ktime(max_t(u64, SHORTEST_NS, event->hw.sample_period * ns_per_count(event)));
}

/* Adds what has passed since the last time. What is left of a count waits for the next one. */
static void fakehw_read(struct perf_event *event)
{
	struct hw_perf_event *hw = &event->hw;
	u64 then = local64_read(&hw->prev_count);
	u64 counts = (local_clock() - then) / ns_per_count(event);

	local64_set(&hw->prev_count, then + counts * ns_per_count(event));
	local64_add(counts, &event->count);
}

static bool wanted(const struct perf_event *event, const struct pt_regs *regs)
{
	if (!regs)
		return false;
	return user_mode(regs) ? !event->attr.exclude_user : !event->attr.exclude_kernel;
}

static enum hrtimer_restart period_is_over(struct hrtimer *timer)
{
	struct perf_event *event = container_of(timer, struct perf_event, hw.hrtimer);
	struct pt_regs *regs = get_irq_regs();
	struct perf_sample_data data;

	if (event->state != PERF_EVENT_STATE_ACTIVE || event->hw.state & PERF_HES_STOPPED)
		return HRTIMER_NORESTART;
	fakehw_read(event);
	event->hw.last_period = event->hw.sample_period;
	perf_sample_data_init(&data, 0, event->hw.last_period);
	if (wanted(event, regs) && overflow(event, &data, regs)) {
		event->hw.state |= PERF_HES_STOPPED | PERF_HES_UPTODATE; /* throttled */
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, time_of_period(event));
	return HRTIMER_RESTART;
}

static void fakehw_start(struct perf_event *event, int flags)
{
	local64_set(&event->hw.prev_count, local_clock());
	event->hw.state = 0;
	if (is_sampling_event(event))
		hrtimer_start(&event->hw.hrtimer, time_of_period(event),
			      HRTIMER_MODE_REL_PINNED_HARD);
}

static void fakehw_stop(struct perf_event *event, int flags)
{
	if (is_sampling_event(event))
		hrtimer_cancel(&event->hw.hrtimer);
	if (!(event->hw.state & PERF_HES_STOPPED))
		fakehw_read(event);
	event->hw.state |= PERF_HES_STOPPED | PERF_HES_UPTODATE;
}

static int fakehw_add(struct perf_event *event, int flags)
{
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		fakehw_start(event, flags);
	perf_event_update_userpage(event);
	return 0;
}

static void fakehw_del(struct perf_event *event, int flags)
{
	fakehw_stop(event, PERF_EF_UPDATE);
}

static void fakehw_read_active(struct perf_event *event)
{
	if (!(event->hw.state & PERF_HES_STOPPED))
		fakehw_read(event);
}

static int fakehw_event_init(struct perf_event *event)
{
	const struct perf_event_attr *attr = &event->attr;

	if (attr->type != PERF_TYPE_HARDWARE && attr->type != event->pmu->type)
		return -ENOENT;
	if (attr->config != PERF_COUNT_HW_CPU_CYCLES && attr->config != PERF_COUNT_HW_INSTRUCTIONS)
		return -ENOENT;
	if (has_branch_stack(event) || attr->precise_ip)
		return -EOPNOTSUPP;
	hrtimer_init(&event->hw.hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	event->hw.hrtimer.function = period_is_over;
	return 0;
}

PMU_FORMAT_ATTR(event, "config:0-7");

static struct attribute *format_attrs[] = { &format_attr_event.attr, NULL };
static const struct attribute_group format_group = { .name = "format", .attrs = format_attrs };
static const struct attribute_group *attr_groups[] = { &format_group, NULL };

static struct pmu fakehw = {
	.module = THIS_MODULE,
	.attr_groups = attr_groups,
	.task_ctx_nr = perf_hw_context,
	.event_init = fakehw_event_init,
	.add = fakehw_add,
	.del = fakehw_del,
	.start = fakehw_start,
	.stop = fakehw_stop,
	.read = fakehw_read_active,
};

/* A probe that is never armed for long: it knows the address of what it is for. */
static int find_overflow(void)
{
	struct kprobe probe = { .symbol_name = "perf_event_overflow" };
	int err = register_kprobe(&probe);

	if (err)
		return err;
	overflow = (overflow_function)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

static int __init fakehw_init(void)
{
	int err = find_overflow();

	return err ? err : perf_pmu_register(&fakehw, "fakehw", -1);
}

static void __exit fakehw_exit(void)
{
	perf_pmu_unregister(&fakehw);
}

module_init(fakehw_init);
module_exit(fakehw_exit);
MODULE_DESCRIPTION("pretend CPU PMU for tests");
MODULE_LICENSE("Dual BSD/GPL");
