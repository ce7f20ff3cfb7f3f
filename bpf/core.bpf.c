/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all programs share: the maps, the target filter, the state of a thread, the ring and its
 * losses. No program lives here.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct wire_config cfg = {};
const volatile bool guard_never = false;

volatile __u32 armed; /* enum wire_armed */
volatile __u64 stop_ns;

struct guard_map guard_programs SEC(".maps");

struct ring_map ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_CNT);
	__type(key, u32);
	__type(value, u64);
} losses SEC(".maps");

/* The processes that are recorded; only asked when there may be several. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u32);
} targets SEC(".maps");

/* Thread states: in the task's own storage, or (5.10) in a table by tid. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} thread_storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct thread_state);
} thread_table SEC(".maps");

/* A state is filled in here and published whole; its frames are never touched, so they stay 0. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_CNT);
	__type(key, u32);
	__type(value, struct thread_state);
} thread_scratch SEC(".maps");

/* An open frame's counters while it is flushed, by sched_switch or the sampler: never both at once. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64[COUNTER_KEPT_CNT]);
} partial_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct wire_edge_key);
	__type(value, struct wire_edge);
} edges SEC(".maps");

/* Hardware counters: one array of per-CPU events for each; without a size it gets that of the CPUs. */
#define HW_MAP(name)                                                                               \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);                                       \
		__uint(key_size, sizeof(u32));                                                     \
		__uint(value_size, sizeof(u32));                                                   \
	} name SEC(".maps")
HW_MAP(hw_events_0);
HW_MAP(hw_events_1);
HW_MAP(hw_events_2);
HW_MAP(hw_events_3);

__hidden void count_loss(u32 loss)
{
	u64 *cnt = bpf_map_lookup_elem(&losses, &loss);

	if (cnt)
		__sync_fetch_and_add(cnt, 1); /* atomic: a program may be preempted by another */
}

__hidden bool is_target(u32 tgid)
{
	if (cfg.single_tgid)
		return tgid == cfg.single_tgid;
	return bpf_map_lookup_elem(&targets, &tgid) != NULL;
}

__hidden bool target_add(u32 tgid)
{
	u32 one = 1;

	if (!bpf_map_update_elem(&targets, &tgid, &one, BPF_ANY))
		return true;
	count_loss(LOSS_TARGETS_FULL);
	return false;
}

/* The state of a target's thread, which has one as soon as it exists: none is a loss. */
__hidden struct thread_state *thread_expect(struct task_struct *task)
{
	struct thread_state *thread = thread_of(task);

	if (!thread && armed == ARMED_ALL)
		count_loss(LOSS_THREAD_STATE);
	return thread;
}

__hidden struct thread_state *thread_of(struct task_struct *task)
{
	u32 tid;

	if (cfg.has_task_storage)
		return bpf_task_storage_get(&thread_storage, task, NULL, 0);
	tid = BPF_CORE_READ(task, pid);
	return bpf_map_lookup_elem(&thread_table, &tid);
}

/*
 * Makes the state of a thread that has none. Never called with a runqueue locked: making task
 * storage allocates. Task ids: tid << 32 | sequence, and the sequence begins at the time in units
 * of 1024 ns, so that a reused tid never repeats an id.
 */
__hidden struct thread_state *thread_new(struct task_struct *task, u64 now, u32 slot)
{
	struct thread_state *state = bpf_map_lookup_elem(&thread_scratch, &slot);
	u32 tid = BPF_CORE_READ(task, pid);

	if (!state)
		return NULL;
	state->tid = tid;
	state->tgid = BPF_CORE_READ(task, tgid);
	state->seq = (u32)(now >> 10) + 1;
	state->mark_ns = now;
	kernel_counts_read(&state->mark, task);
	state->in_ns = now;
	state->in_exec_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	state->out_ns = now;
	state->out_cause = CAUSE_OTHER;
	state->running = 0;
	state->in_is_guess = 1;
	state->run_delay_ns = task_run_delay(task);
	state->off_cause = CAUSE_OTHER;
	state->off_blocked_ns = 0;
	state->off_runqueue_ns = 0;
	state->base_utime = BPF_CORE_READ(task, utime);
	state->base_stime = BPF_CORE_READ(task, stime);
	state->frames[0].task = (u64)tid << 32 | (u32)(now >> 10);
	state->frames[0].enter_ns = now;
	state->frames[0].flushed_ns = now;
	return state;
}

/* Publishes what thread_new() filled in; false when another context was faster or no room is. */
static __always_inline bool publish(struct task_struct *task, struct thread_state *state)
{
	u32 tid = state->tid;

	if (cfg.has_task_storage)
		return bpf_task_storage_get(&thread_storage, task, state,
					    BPF_LOCAL_STORAGE_GET_F_CREATE) != NULL;
	return bpf_map_update_elem(&thread_table, &tid, state, BPF_NOEXIST) == 0;
}

__hidden bool thread_publish(struct task_struct *task, struct thread_state *state)
{
	if (publish(task, state))
		return true;
	count_loss(LOSS_THREAD_STATE);
	return false;
}

/* Task storage ends with the task; the table needs to be told. */
__hidden void thread_forget(struct task_struct *task)
{
	u32 tid;

	if (cfg.has_task_storage)
		return;
	tid = BPF_CORE_READ(task, pid);
	bpf_map_delete_elem(&thread_table, &tid);
}

/* An exec by a thread that is not the leader takes the leader's tid over. */
__hidden void thread_move(u32 from_tid, u32 to_tid)
{
	struct thread_state *state;

	if (cfg.has_task_storage || from_tid == to_tid)
		return;
	state = bpf_map_lookup_elem(&thread_table, &from_tid);
	if (!state)
		return;
	bpf_map_update_elem(&thread_table, &to_tid, state, BPF_ANY);
	bpf_map_delete_elem(&thread_table, &from_tid);
}

__hidden void edge_add(u64 from, u64 to, u64 delay_ns)
{
	struct wire_edge_key key = {.from = from, .to = to};
	struct wire_edge fresh = {.cnt = 1, .delay_ns = delay_ns, .max_ns = delay_ns};
	struct wire_edge *edge = bpf_map_lookup_elem(&edges, &key);

	/* An edge is written by the task that was woken only, and that is in one place at a time. */
	if (edge) {
		edge->cnt++;
		edge->delay_ns += delay_ns;
		if (delay_ns > edge->max_ns)
			edge->max_ns = delay_ns;
	} else if (bpf_map_update_elem(&edges, &key, &fresh, BPF_ANY)) {
		count_loss(LOSS_EDGES_FULL);
	}
}

#define READ_HW(i)                                                                                 \
	do {                                                                                       \
		struct bpf_perf_event_value val = {};                                              \
		if (cfg.hw_mask & (1 << (i)) &&                                                    \
		    !bpf_perf_event_read_value(&hw_events_##i, BPF_F_CURRENT_CPU, &val,            \
					       sizeof(val)))                                       \
			hw[i] = val.counter;                                                       \
	} while (0)

__hidden void read_hw(u64 *hw)
{
	READ_HW(0);
	READ_HW(1);
	READ_HW(2);
	READ_HW(3);
}

/* Charges hardware counters up to now: what probes have not charged to frames already, as with time.
 * Of a run whose beginning was not seen only the rest is known. */
__hidden void charge_hw(struct thread_state *thread)
{
	struct frame *frame = innermost(thread);
	u64 hw[HW_CNT] = {};

	if (!cfg.hw_mask)
		return;
	read_hw(hw);
	for (int i = 0; i < HW_CNT; i++) {
		u64 split = thread->split_hw[i] - thread->split_hw_seen[i];

		if (thread->in_hw_known)
			frame->c[COUNTER_HW_CYCLES + i] += hw[i] - thread->in_hw[i] - split;
		thread->in_hw[i] = hw[i];
		thread->split_hw_seen[i] = thread->split_hw[i];
	}
	thread->in_hw_known = 1;
}

/*
 * Each branch in what emits a slice doubles what the verifier looks at, and loops over frames
 * multiply it; so yes and no are computed: all ones or 0.
 */
static __always_inline u64 mask_less(u64 a, u64 b) /* both below 2^63 */
{
	return (u64)((s64)(a - b) >> 63);
}

static __always_inline u64 mask_equal(u32 a, u32 b)
{
	return mask_less(a ^ b, 1);
}

/* Wakes the consumer only when there is much to read: it also looks by itself, on a clock. */
__hidden u64 ring_flags(void)
{
	u64 little = mask_less(bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA), cfg.wakeup_bytes);

	return (little & BPF_RB_NO_WAKEUP) | (~little & BPF_RB_FORCE_WAKEUP);
}

/* The kernel says only no. If there was room, somebody else held the ring's lock. */
__hidden void count_refused(u64 sz)
{
	u64 avail = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	u64 room = mask_less(avail + sz + BPF_RINGBUF_HDR_SZ, cfg.ring_sz);

	count_loss((room & LOSS_RING_BUSY) | (~room & LOSS_RING_FULL));
}

static __always_inline void *reserve(u64 sz)
{
	void *record = bpf_ringbuf_reserve(&ring, sz, 0);

	if (!record)
		count_refused(sz);
	return record;
}

static __always_inline void fill_hdr(struct wire_hdr *hdr, u32 kind, u32 sz, u32 tgid, u64 ns)
{
	hdr->kind = kind;
	hdr->sz = sz;
	hdr->tgid = tgid;
	hdr->ns = ns;
}

__hidden void emit_spawn(struct thread_state *thread, struct task_struct *task, u64 parent,
			 u64 start_ns, u32 flags)
{
	struct wire_spawn *spawn = reserve(sizeof(*spawn));

	if (!spawn)
		return;
	__builtin_memset(spawn, 0, sizeof(*spawn));
	fill_hdr(&spawn->hdr, WIRE_SPAWN, sizeof(*spawn), BPF_CORE_READ(task, tgid),
		 bpf_ktime_get_ns());
	spawn->task = thread->frames[0].task;
	spawn->parent = parent;
	spawn->native = thread->tid;
	spawn->start_ns = start_ns;
	spawn->tid = thread->tid;
	spawn->runtime = RUNTIME_THREAD;
	spawn->flags = flags;
	BPF_CORE_READ_STR_INTO(&spawn->comm, task, comm);
	bpf_ringbuf_submit(spawn, ring_flags());
}

__hidden void emit_task(struct wire_native_key *key, struct birth *birth)
{
	struct wire_spawn *spawn = reserve(sizeof(*spawn));

	if (!spawn)
		return;
	__builtin_memset(spawn, 0, sizeof(*spawn));
	fill_hdr(&spawn->hdr, WIRE_SPAWN, sizeof(*spawn), key->tgid, bpf_ktime_get_ns());
	spawn->task = birth->task;
	spawn->parent = birth->parent;
	spawn->native = key->native;
	spawn->type_key = birth->type_key;
	spawn->start_ns = spawn->hdr.ns;
	spawn->site = birth->site;
	spawn->tid = (u32)bpf_get_current_pid_tgid();
	spawn->runtime = key->runtime;
	spawn->flags = birth->flags;
	bpf_ringbuf_submit(spawn, ring_flags());
}

/* `wakes`: received << 32 | by itself, since it last ran. */
__hidden void emit_end(u32 tgid, u64 now, u64 task, u32 state, u64 wakes)
{
	struct wire_end *end = reserve(sizeof(*end));

	if (!end)
		return;
	__builtin_memset(end, 0, sizeof(*end));
	fill_hdr(&end->hdr, WIRE_END, sizeof(*end), tgid, now);
	end->task = task;
	end->wakes_received = wakes >> 32;
	end->wakes_self = (u32)wakes;
	end->state = state;
	bpf_ringbuf_submit(end, ring_flags());
}

/* Filled in but for the header's kind and process; path_sz bytes follow. */
__hidden bool emit_file(struct wire_file *file)
{
	u64 sz = sizeof(*file) + BOUND(file->path_sz, FILE_PATH_MAX);

	fill_hdr(&file->hdr, WIRE_FILE, sz, bpf_get_current_pid_tgid() >> 32, bpf_ktime_get_ns());
	if (!bpf_ringbuf_output(&ring, file, sz, ring_flags()))
		return true;
	count_refused(sz);
	return false;
}

__hidden void emit_latency(struct thread_state *thread, u32 tgid, u64 now)
{
	struct wire_latency *latency = reserve(sizeof(*latency));

	if (!latency)
		return;
	fill_hdr(&latency->hdr, WIRE_LATENCY, sizeof(*latency), tgid, now);
	latency->task = thread->frames[0].task;
	__builtin_memcpy(latency->buckets, thread->latency, sizeof(latency->buckets));
	bpf_ringbuf_submit(latency, ring_flags());
}

__hidden void emit_rename(u32 tgid, u64 task, const char *comm)
{
	struct wire_rename *rename = reserve(sizeof(*rename));

	if (!rename)
		return;
	__builtin_memset(rename, 0, sizeof(*rename));
	fill_hdr(&rename->hdr, WIRE_RENAME, sizeof(*rename), tgid, bpf_ktime_get_ns());
	rename->task = task;
	bpf_probe_read_kernel_str(rename->comm, sizeof(rename->comm), comm);
	bpf_ringbuf_submit(rename, ring_flags());
}

__hidden void emit_fork(u32 tgid, u32 child, u32 followed)
{
	struct wire_fork *fork = reserve(sizeof(*fork));

	if (!fork)
		return;
	fill_hdr(&fork->hdr, WIRE_FORK, sizeof(*fork), tgid, bpf_ktime_get_ns());
	fork->child_tgid = child;
	fork->followed = followed;
	bpf_ringbuf_submit(fork, BPF_RB_FORCE_WAKEUP); /* probes must follow quickly */
}

__hidden bool emit_site(u32 tgid, u64 id, u64 ip)
{
	struct wire_site *site = reserve(sizeof(*site));

	if (!site)
		return false;
	fill_hdr(&site->hdr, WIRE_SITE, sizeof(*site), tgid, bpf_ktime_get_ns());
	site->id = id;
	site->ip = ip;
	bpf_ringbuf_submit(site, ring_flags());
	return true;
}

__hidden void emit_maps(u32 tgid)
{
	struct wire_maps *maps = reserve(sizeof(*maps));

	if (!maps)
		return;
	fill_hdr(&maps->hdr, WIRE_MAPS, sizeof(*maps), tgid, bpf_ktime_get_ns());
	bpf_ringbuf_submit(maps, BPF_RB_FORCE_WAKEUP); /* probes must follow quickly */
}

__hidden void emit_exec(struct task_struct *task, u32 tid, u32 old_tid)
{
	struct wire_exec *exec = reserve(sizeof(*exec));

	if (!exec)
		return;
	__builtin_memset(exec, 0, sizeof(*exec));
	fill_hdr(&exec->hdr, WIRE_EXEC, sizeof(*exec), BPF_CORE_READ(task, tgid),
		 bpf_ktime_get_ns());
	exec->tid = tid;
	exec->old_tid = old_tid;
	BPF_CORE_READ_STR_INTO(&exec->comm, task, comm);
	bpf_ringbuf_submit(exec, BPF_RB_FORCE_WAKEUP);
}

/*
 * Which counters a slice carries. Picking exactly the non-zero ones is more than the verifier wants
 * to follow, so there are three shapes, and the smallest that loses nothing is taken: most slices
 * of an async task ran undisturbed from ENTER to LEAVE.
 */
#define BIT(counter) (1ULL << COUNTER_##counter)
#define SHAPE_SMALL  (BIT(ON_CPU) | BIT(PROBE_HITS))
#define SHAPE_MEDIUM                                                                               \
	(SHAPE_SMALL | BIT(RUNQUEUE) | BIT(STOLEN) | BIT(CHILD_WALL) | BIT(SWITCH_VOLUNTARY) |     \
	 BIT(SWITCH_INVOLUNTARY) | BIT(FAULT_MINOR) | BIT(WAKE_RECEIVED) | BIT(WAKE_SELF) |        \
	 BIT(WAKE_SENT) | BIT(WAKE_LATENCY) | BIT(WAKE_LATENCY_MAX) | BIT(CPUS))
#define SHAPE_FULL ((1ULL << COUNTER_CNT) - 1)

#define EMIT_SHAPE(shape)                                                                          \
	do {                                                                                       \
		struct {                                                                           \
			struct wire_slice slice;                                                   \
			u64 vals[__builtin_popcountll(shape)];                                     \
		} *record = reserve(sizeof(*record));                                              \
		u32 cnt = 0;                                                                       \
		if (!record)                                                                       \
			return;                                                                    \
		fill_slice(&record->slice, thread, frame, idx, flush);                             \
		record->slice.hdr.sz = sizeof(*record);                                            \
		record->slice.present = (shape);                                                   \
		_Pragma("unroll") for (int i = 0; i < COUNTER_KEPT_CNT; i++) if ((shape) >> i & 1) \
			record->vals[cnt++] = counters[i];                                         \
		if ((shape) >> COUNTER_KEPT_CNT) {                                                 \
			record->vals[cnt++] = flush->ticks[0];                                     \
			record->vals[cnt++] = flush->ticks[1];                                     \
		}                                                                                  \
		bpf_ringbuf_submit(record, ring_flags());                                          \
	} while (0)

static __always_inline void fill_slice(struct wire_slice *slice, struct thread_state *thread,
				       struct frame *frame, u32 idx, struct flush *flush)
{
	fill_hdr(&slice->hdr, WIRE_SLICE, 0, thread->tgid, flush->now);
	slice->task = frame->task;
	slice->enter_ns = frame->enter_ns;
	slice->tid = thread->tid;
	slice->flush = frame->flush_cnt - 1;
	slice->cpu = bpf_get_smp_processor_id();
	slice->flags = flush->flags;
	slice->depth = idx;
	slice->running = thread->running;
	__builtin_memset(slice->pad, 0, sizeof(slice->pad));
}

/* One after the other: left to itself, the compiler loads them all first and runs out of stack. */
#define OR_INTO(sum, val)                                                                          \
	do {                                                                                       \
		u64 read = (val);                                                                  \
		asm volatile("%0 |= %1" : "+r"(sum) : "r"(read));                                  \
	} while (0)

static __noinline void emit_slice(struct thread_state *thread, struct frame *frame,
				  const u64 *counters, u32 idx, struct flush *flush)
{
	u64 beyond_small = 0, beyond_medium = 0;

#pragma unroll
	for (int i = 0; i < COUNTER_KEPT_CNT; i++) {
		if (!(SHAPE_SMALL >> i & 1))
			OR_INTO(beyond_small, counters[i]);
		if (!(SHAPE_MEDIUM >> i & 1))
			OR_INTO(beyond_medium, counters[i]);
	}
	beyond_small |= flush->ticks[0] | flush->ticks[1];
	beyond_medium |= flush->ticks[0] | flush->ticks[1];
	/* a record that is lost leaves a gap in the numbers */
	frame->flushed_ns = flush->now;
	frame->flush_cnt++;
	if (!beyond_small)
		EMIT_SHAPE(SHAPE_SMALL);
	else if (!beyond_medium)
		EMIT_SHAPE(SHAPE_MEDIUM);
	else
		EMIT_SHAPE(SHAPE_FULL);
}

/* What the kernel counted since the last border belongs to the innermost frame. */
static __always_inline void add_counts(u64 *counters, struct thread_state *thread,
				       struct task_struct *task)
{
	struct kernel_counts counts;

	kernel_counts_read(&counts, task);
	counters[COUNTER_SWITCH_VOLUNTARY] += counts.nvcsw - thread->mark.nvcsw;
	counters[COUNTER_SWITCH_INVOLUNTARY] += counts.nivcsw - thread->mark.nivcsw;
	counters[COUNTER_FAULT_MINOR] += counts.min_flt - thread->mark.min_flt;
	counters[COUNTER_FAULT_MAJOR] += counts.maj_flt - thread->mark.maj_flt;
	counters[COUNTER_DISK_READ_BYTES] += counts.read_bytes - thread->mark.read_bytes;
	counters[COUNTER_DISK_WRITE_BYTES] += counts.write_bytes - thread->mark.write_bytes;
}

static __always_inline void read_ticks(struct flush *flush, struct thread_state *thread,
				       struct task_struct *task, u32 idx)
{
	u64 base = mask_equal(idx, 0);

	flush->ticks[0] = (BPF_CORE_READ(task, utime) - thread->base_utime) & base;
	flush->ticks[1] = (BPF_CORE_READ(task, stime) - thread->base_stime) & base;
}

__hidden void emit_final(struct thread_state *thread, struct task_struct *task, u32 idx,
			 struct flush *flush)
{
	struct frame *frame = frame_at(thread, idx);

	if (idx == thread->depth)
		add_counts(frame->c, thread, task);
	read_ticks(flush, thread, task, idx);
	/* a frame that was entered at the very end may be later than the end */
	if (idx && flush->now > frame->enter_ns)
		frame_at(thread, idx - 1)->c[COUNTER_CHILD_WALL] += flush->now - frame->enter_ns;
	emit_slice(thread, frame, frame->c, idx, flush);
}

__hidden void emit_partial(struct thread_state *thread, struct task_struct *task,
			   struct flush *flush)
{
	u32 zero = 0, idx = thread->depth;
	u64 *counters = bpf_map_lookup_elem(&partial_counters, &zero);
	struct frame *frame = frame_at(thread, idx);

	if (!counters)
		return;

#pragma unroll
	for (int i = 0; i < COUNTER_KEPT_CNT; i++)
		counters[i] = frame->c[i];
	counters[COUNTER_ON_CPU] += flush->on_cpu_ns;
	add_counts(counters, thread, task);
	read_ticks(flush, thread, task, idx);
	emit_slice(thread, frame, counters, idx, flush);
}

__hidden void emit_frames(struct thread_state *thread, struct task_struct *task,
			  struct flush *flush)
{
	u32 flags = flush->flags;

	for (u32 i = 0; i < FRAME_CNT; i++) {
		u32 idx = FRAME_CNT - 1 - i;

		/* read anew: in a register the verifier would carry each possible depth along */
		if (idx > *(volatile u32 *)&thread->depth)
			continue;
		if (idx && flags & SLICE_FORCED)
			count_loss(LOSS_FRAME_FORCED);
		/* the thread itself ends as it should, whatever is above it did not */
		flush->flags = idx ? flags : flags & ~SLICE_FORCED;
		emit_final(thread, task, idx, flush);
	}
}
