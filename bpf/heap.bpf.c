/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory: who allocates how much and where, who holds it, how long it lives. Uprobes at the
 * beginning and the return of the functions of the malloc family (runtime/allocators.c says which
 * they are) keep a table of blocks that are not freed, address -> owner, and charge a free to the
 * owner, whoever frees.
 */
#include "io.bpf.h"

/* How closely it is looked, at this moment; user space steps it down to keep tracing cheap. */
volatile __u32 heap_mode; /* enum wire_heap_mode */
/* Changes with it: the end of a call that was begun before may not have been seen. */
volatile __u32 heap_epoch;
/* The table keeps one block in 1 << heap_shift, by its address: what it cannot keep all of it keeps
 * evenly, and the free of a block asks the same question as its allocation. */
volatile __u32 heap_shift;
/* All blocks have the header of glibc's malloc. */
volatile __u32 heap_tells_size;
volatile __u32 heap_wrapper_cnt;
/* Another one whenever a place may have become another: wrappers that are new, an exec. */
volatile __u32 heap_sites_epoch;
/* For the sweep: the process whose blocks of before that time are gone. */
volatile __u32 heap_gone_tgid;
volatile __u64 heap_gone_ns;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000000); /* --heap-entries */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct wire_block_key);
	__type(value, struct wire_block);
} blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct wire_owner);
} owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HEAP_FUNCTION_CNT);
	__type(key, u32);
	__type(value, struct wire_heap_calls);
} heap_calls SEC(".maps");

/* The places that user space has been told of. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} sites SEC(".maps");

/* operator new() and its like: who calls them is the place that allocates. Value: how far above the
 * stack pointer behind the call their own return address is. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct wire_wrapper_key);
	__type(value, u32);
} heap_wrappers SEC(".maps");

static __always_inline struct thread_state *heap_thread(void)
{
	struct thread_state *thread = heap_mode < HEAP_MODE_OFF ? io_thread() : NULL;

	if (thread)
		innermost(thread)->c[COUNTER_PROBE_HITS]++;
	return thread;
}

static __always_inline void count_call(u32 function, u64 bytes, bool failed)
{
	struct wire_heap_calls *calls = bpf_map_lookup_elem(&heap_calls, &function);

	if (!calls)
		return;
	__sync_fetch_and_add(&calls->calls, 1);
	if (failed)
		__sync_fetch_and_add(&calls->failed, 1);
	else if (bytes)
		__sync_fetch_and_add(&calls->bytes, bytes);
}

static __always_inline u32 table_shift(void)
{
	return heap_shift & 31;
}

static __always_inline bool is_kept(u64 addr, u32 shift)
{
	/* the upper bits of a product depend on all of its factor's */
	return !shift || !(addr * 0x9e3779b97f4a7c15ULL >> (64 - shift));
}

static __always_inline struct wire_owner *owner_of(u64 task)
{
	struct wire_owner *owner = bpf_map_lookup_elem(&owners, &task), fresh = {};

	if (owner)
		return owner;
	bpf_map_update_elem(&owners, &task, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&owners, &task);
}

/* How many blocks it stands for. */
static __always_inline u64 block_cnt(const struct wire_block *block)
{
	return block->sz && block->weight > block->sz ? (block->weight + block->sz / 2) / block->sz
						      : 1;
}

/* A block is freed that was taken out of the table: its owner holds less. */
static __noinline int account_free(struct wire_block *block, u64 now)
{
	struct wire_owner *owner = bpf_map_lookup_elem(&owners, &block->owner);
	u64 cnt = block_cnt(block), age = now > block->ns ? now - block->ns : 1;

	gauge_add(GAUGE_HEAP_BLOCKS, -1);
	gauge_add(GAUGE_HEAP_LIVE, -block->weight);
	if (owner) {
		__sync_fetch_and_add(&owner->freed_bytes, block->weight);
		__sync_fetch_and_add(&owner->freed_cnt, cnt);
	}
	use_add(block->owner, block->site, USE_MANY(IO_FREE, USE_DONE, cnt), age, block->weight);
	return 0;
}

/* Takes a block out of the table; false when it is not there. */
static __always_inline bool take(struct wire_block_key *key, struct wire_block *block)
{
	struct wire_block *kept = bpf_map_lookup_elem(&blocks, key);

	if (!kept)
		return false;
	*block = *kept;
	return !bpf_map_delete_elem(&blocks, key); /* else somebody else took it */
}

static __always_inline void own(struct wire_owner *owner, struct wire_block *block)
{
	volatile struct wire_owner *others = owner;
	u64 held;

	gauge_add(GAUGE_HEAP_BLOCKS, 1);
	gauge_add(GAUGE_HEAP_LIVE, block->weight);
	owner->taken_cnt += block_cnt(block);
	owner->taken_bytes += block->weight;
	held = owner->taken_bytes + others->swept_bytes - others->freed_bytes;
	if ((s64)held > (s64)owner->peak_bytes)
		owner->peak_bytes = held;
}

/* glibc's word in front of a block: its size with that word, and flags: mapped on its own. */
static __always_inline void ask_size(struct wire_owner *owner, u64 addr, struct wire_block *block)
{
	u64 word = 0, usable, cnt = block_cnt(block);

	if (bpf_probe_read_user(&word, sizeof(word), (void *)(addr - 8)))
		return;
	usable = (word & ~7ULL) - (word & 2 ? 16 : 8);
	if (usable < block->sz || usable > 2 * block->sz + 65536)
		return; /* no such header */
	owner->usable_bytes += usable * cnt;
	owner->asked_bytes += block->sz * cnt;
}

/* Puts a block into the table. */
static __noinline int keep(struct thread_state *thread, struct wire_block_key *key,
			   struct wire_block *block)
{
	struct wire_owner *owner = owner_of(block->owner);
	struct wire_block *missed = &thread->heap.old;
	long err;

	if (!owner) {
		count_loss(LOSS_OWNERS_FULL);
		return 0;
	}
	err = bpf_map_update_elem(&blocks, key, block, BPF_NOEXIST);
	if (err == -EEXIST_) {
		/* its free was not seen */
		count_loss(LOSS_HEAP_MISSED);
		if (take(key, missed))
			account_free(missed, block->ns);
		err = bpf_map_update_elem(&blocks, key, block, BPF_NOEXIST);
	}
	if (err) {
		count_loss(LOSS_HEAP_FULL);
		return 0;
	}
	own(owner, block);
	if (heap_tells_size)
		ask_size(owner, key->addr, block);
	return 0;
}

/* Blocks are kept by chance, the larger ones rather; each stands for those that were not. */
static __always_inline u64 weigh(u64 sz)
{
	if (heap_mode == HEAP_MODE_EXACT || sz >= HEAP_SAMPLE_BYTES)
		return sz;
	return bpf_get_prandom_u32() % HEAP_SAMPLE_BYTES < sz ? HEAP_SAMPLE_BYTES : 0;
}

/*
 * Is a call that begins with this stack pointer made by the one that has not returned? Where returns
 * are not seen the last one is remembered, and what it may have called: malloc() for the same size.
 */
static __always_inline bool is_inside(struct heap_call *call, u32 function, u64 sp, u64 sz)
{
	bool counting = heap_mode >= HEAP_MODE_COUNTING;

	/* what may throw may be gone without a word; what it calls counts itself then */
	if (!call->sp || call->function == HEAP_NEW)
		return false;
	if (counting && (function != HEAP_MALLOC || sz != call->sz))
		return false;
	if (sp != call->sp)
		return sp < call->sp;
	/* as its last deed it may jump to another one, or to one of its kind */
	if (counting)
		return call->function == HEAP_REALLOC && !call->at;
	return function != call->function || sz == call->sz;
}

static __always_inline u64 site_id(u32 tgid, u64 ip)
{
	return OBJECT_IS_SITE | ((ip ^ tgid * 0x9e3779b97f4a7c15ULL) & (OBJECT_IS_SITE - 1));
}

#define WRAPPERS 4 /* around each other */
/* Looks through wrappers, as long as there are any: whose call it was. */
static __always_inline u64 caller(struct wire_wrapper_key *key, u64 sp)
{
#pragma unroll
	for (int i = 0; i < WRAPPERS; i++) {
		u32 *depth = bpf_map_lookup_elem(&heap_wrappers, key);
		u64 above = 0;

		if (!depth)
			break;
		sp += *depth;
		if (bpf_probe_read_user(&above, sizeof(above), (void *)sp) || !above)
			break;
		key->ip = above;
		sp += sizeof(above);
	}
	return key->ip;
}

/* The place that allocates, made known if need be. Not through a wrapper it is the same each time. */
static __always_inline u64 site_of(struct thread_state *thread, u64 ip, u64 sp)
{
	struct wire_wrapper_key key = {.ip = ip, .tgid = thread->tgid};
	u32 slot = ip >> 2 & (SITE_CACHE - 1);
	u64 site, at = ip;

	if (thread->sites.epoch != heap_sites_epoch) {
		__builtin_memset(&thread->sites, 0, sizeof(thread->sites));
		thread->sites.epoch = heap_sites_epoch;
	}
	if (thread->sites.ip[slot] == ip)
		return thread->sites.site[slot];
	if (heap_wrapper_cnt)
		at = caller(&key, sp);
	site = site_id(thread->tgid, at);
	if (!bpf_map_lookup_elem(&sites, &site)) {
		if (!emit_site(thread->tgid, site, at))
			return site; /* it is told at its next use */
		bpf_map_update_elem(&sites, &site, &at, BPF_ANY);
	}
	if (at == ip) {
		thread->sites.ip[slot] = ip;
		thread->sites.site[slot] = site;
	}
	return site;
}

/* It has returned a block; sp: behind the return. */
static __always_inline void allocated(struct thread_state *thread, u64 addr, u64 ip, u64 sp)
{
	struct frame *frame = innermost(thread);
	struct wire_block_key key = {.addr = addr, .tgid = thread->tgid};
	u32 shift = table_shift(); /* once: it may be raised meanwhile */
	struct wire_block block = {.owner = frame->task, .sz = thread->heap.sz};

	frame->c[COUNTER_HEAP_ALLOCS]++;
	frame->c[COUNTER_HEAP_ALLOC_BYTES] += block.sz;
	block.weight = weigh(block.sz);
	if (heap_mode > HEAP_MODE_SAMPLED || (!block.weight && block.sz))
		return;
	if (!is_kept(addr, shift))
		return;
	block.site = site_of(thread, ip, sp);
	block.ns = bpf_ktime_get_ns();
	block.shift = shift;
	block.weight <<= shift;
	keep(thread, &key, &block);
}

/* The end of a realloc() was not seen: the block that it was given is most likely gone. */
static __always_inline void drop_parked(struct heap_call *call)
{
	if (!call->has_old)
		return;
	call->has_old = 0;
	account_free(&call->old, bpf_ktime_get_ns());
}

/* Forgets a call that was begun before the mode was changed. What realloc() was given then is taken for
 * gone. */
static __always_inline void forget_call(struct thread_state *thread)
{
	struct heap_call *call = &thread->heap;

	if (call->epoch == (u16)heap_epoch)
		return;
	call->epoch = heap_epoch;
	call->sp = 0;
	call->freed = 0;
	drop_parked(call);
}

/* What realloc() was given is gone, if it did what it was asked for; else it is put back. */
static __always_inline void settle(struct thread_state *thread, u64 result)
{
	struct heap_call *call = &thread->heap;
	struct wire_block_key key = {.addr = call->at, .tgid = thread->tgid};

	if (!call->has_old)
		return;
	call->has_old = 0;
	if (result || !call->sz) {
		account_free(&call->old, bpf_ktime_get_ns());
		return;
	}
	if (bpf_map_update_elem(&blocks, &key, &call->old, BPF_NOEXIST))
		count_loss(LOSS_HEAP_FULL);
}

/* `sp` as at the function's first instruction. */
static __always_inline int ends(u64 result, u64 ip, u64 sp)
{
	struct thread_state *thread = heap_thread();
	struct heap_call *call;
	bool failed;

	if (!thread)
		return 0;
	forget_call(thread);
	call = &thread->heap;
	if (!call->sp || sp < call->sp)
		return 0; /* one that was made by another one */
	call->sp = 0;
	if (call->function == HEAP_POSIX_MEMALIGN) {
		u64 addr = 0;

		if (!result)
			bpf_probe_read_user(&addr, sizeof(addr), (void *)call->at);
		result = addr;
	}
	settle(thread, result);
	failed = !result && (call->sz || !call->at); /* realloc() to nothing gives back */
	count_call(call->function, call->sz, failed);
	if (result)
		allocated(thread, result, ip, sp + sizeof(u64));
	else if (failed)
		use_add(innermost(thread)->task, site_of(thread, ip, sp + sizeof(u64)),
			USE(IO_ALLOC, USE_FAILED), 0, 0);
	return 0;
}

/* No block can be that large: who asks for it gets nothing. */
#define TOO_LARGE (1ULL << 47)

/* Only its beginning is seen. */
static __always_inline void count_begin(struct thread_state *thread, u32 function, u64 sp, u64 sz,
					u64 at)
{
	struct heap_call *call = &thread->heap;
	struct frame *frame = innermost(thread);
	bool failed = sz >= TOO_LARGE;

	call->sp = function == HEAP_MALLOC ? 0 : sp;
	call->sz = sz;
	call->at = at;
	call->function = function;
	/* realloc() to nothing may call free() */
	call->freed = sz ? 0 : at;
	call->freed_sp = sp;
	count_call(function, sz, failed);
	if (failed)
		return;
	frame->c[COUNTER_HEAP_ALLOCS]++;
	frame->c[COUNTER_HEAP_ALLOC_BYTES] += sz;
}

static __always_inline int begins(struct pt_regs *ctx, u32 function, u64 sz, u64 at)
{
	struct thread_state *thread = heap_thread();
	u64 sp = PT_REGS_SP(ctx);
	struct heap_call *call;

	if (!thread)
		return 0;
	forget_call(thread);
	call = &thread->heap;
	call->freed = 0;
	if (is_inside(call, function, sp, sz)) {
		count_loss(LOSS_HEAP_NESTED);
		if (heap_mode >= HEAP_MODE_COUNTING)
			call->sp = 0;
		return 0;
	}
	if (heap_mode >= HEAP_MODE_COUNTING) {
		count_begin(thread, function, sp, sz, at);
		return 0;
	}
	if (call->sp && call->function != HEAP_NEW)
		count_loss(LOSS_HEAP_RETURNS);
	call->sp = sp;
	call->sz = sz;
	call->at = at;
	call->function = function;
	drop_parked(call);
	if (at && function != HEAP_POSIX_MEMALIGN && is_kept(at, table_shift())) {
		struct wire_block_key key = {.addr = at, .tgid = thread->tgid};

		call->has_old = take(&key, &call->old);
		if (!call->has_old && heap_mode == HEAP_MODE_EXACT)
			count_loss(LOSS_HEAP_UNKNOWN);
	}
	return 0;
}

/*
 * May it be the free that the last one of this thread calls, with the same block? Or it is another one,
 * of a block that somebody else was given there meanwhile: then that is in the table. Where there is
 * none, a function does not call itself.
 */
static __always_inline bool is_again_free(struct heap_call *call, u32 function, u64 addr, u64 sp)
{
	if (call->freed != addr || sp > call->freed_sp)
		return false;
	/* where each block is in the table, one that is not there is gone */
	if (heap_mode == HEAP_MODE_EXACT && !heap_shift)
		return true;
	return sp < call->freed_sp || function != call->freed_function;
}

static __always_inline int frees(struct pt_regs *ctx, u32 function, u64 addr)
{
	struct wire_block_key key = {.addr = addr};
	bool taken = false,
	     is_followed = heap_mode < HEAP_MODE_COUNTING && is_kept(addr, table_shift());
	u64 sp = PT_REGS_SP(ctx);
	struct thread_state *thread;
	struct heap_call *call;

	if (!addr)
		return 0;
	thread = heap_thread();
	if (!thread)
		return 0;
	forget_call(thread);
	call = &thread->heap;
	if (is_inside(call, function, sp, 0)) {
		count_loss(LOSS_HEAP_NESTED);
		return 0;
	}
	key.tgid = thread->tgid;
	drop_parked(call); /* no realloc() is open here */
	if (is_followed)
		taken = take(&key, &call->old);
	if (!taken && is_again_free(call, function, addr, sp)) {
		count_loss(LOSS_HEAP_NESTED);
		return 0;
	}
	call->freed = addr;
	call->freed_sp = sp;
	call->freed_function = function;
	innermost(thread)->c[COUNTER_HEAP_FREES]++;
	count_call(function, 0, false);
	if (taken)
		account_free(&call->old, bpf_ktime_get_ns());
	else if (is_followed && heap_mode == HEAP_MODE_EXACT)
		count_loss(LOSS_HEAP_UNKNOWN);
	return 0;
}

/* What calloc() is asked for; more than there can be when the product overflows. */
static __always_inline u64 product(u64 cnt, u64 sz)
{
	u64 small = cnt < sz ? cnt : sz, large = cnt < sz ? sz : cnt;

	if (small >> 32 || small * (large >> 32) >> 16)
		return ~0ULL;
	return small * large;
}

/* The same for an alignment that posix_memalign() refuses. */
static __always_inline u64 aligned(u64 alignment, u64 sz)
{
	return alignment < sizeof(void *) || alignment & (alignment - 1) ? ~0ULL : sz;
}

SEC("?uprobe")
int heap_malloc(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_MALLOC, PT_REGS_PARM1(ctx), 0);
}

SEC("?uprobe")
int heap_calloc(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_CALLOC, product(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx)), 0);
}

SEC("?uprobe")
int heap_realloc(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_REALLOC, PT_REGS_PARM2(ctx), PT_REGS_PARM1(ctx));
}

SEC("?uprobe")
int heap_posix_memalign(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_POSIX_MEMALIGN, aligned(PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx)),
		      PT_REGS_PARM1(ctx));
}

SEC("?uprobe")
int heap_memalign(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_MEMALIGN, PT_REGS_PARM2(ctx), 0);
}

SEC("?uprobe")
int heap_valloc(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_VALLOC, PT_REGS_PARM1(ctx), 0);
}

SEC("?uprobe")
int heap_pvalloc(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_PVALLOC, PT_REGS_PARM1(ctx), 0);
}

SEC("?uprobe")
int heap_new(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_NEW, PT_REGS_PARM1(ctx), 0);
}

SEC("?uprobe")
int heap_rust_realloc(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_RUST_REALLOC, PT_REGS_PARM4(ctx), PT_REGS_PARM1(ctx));
}

SEC("?uprobe")
int heap_reallocarray(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return begins(ctx, HEAP_REALLOCARRAY, product(PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx)),
		      PT_REGS_PARM1(ctx));
}

SEC("?uprobe")
int heap_free(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return frees(ctx, HEAP_FREE, PT_REGS_PARM1(ctx));
}

SEC("?uprobe")
int heap_delete(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return frees(ctx, HEAP_DELETE, PT_REGS_PARM1(ctx));
}

/* It has returned: the return address is taken off the stack. */
SEC("?uprobe")
int heap_return(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return ends(PT_REGS_RC(ctx), PT_REGS_IP(ctx), PT_REGS_SP(ctx) - sizeof(u64));
}

static __always_inline int exits(struct pt_regs *ctx)
{
	u64 sp = PT_REGS_SP(ctx), ip = 0;

	bpf_probe_read_user(&ip, sizeof(ip), (void *)sp);
	return ends(PT_REGS_RC(ctx), ip, sp);
}

/* At an instruction that returns. */
SEC("?uprobe")
int heap_exit(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return exits(ctx);
}

static __always_inline int exits_new(struct pt_regs *ctx)
{
	struct thread_state *thread = heap_mode < HEAP_MODE_OFF ? io_thread() : NULL;

	return thread && thread->heap.sp && thread->heap.function == HEAP_NEW ? exits(ctx) : 0;
}

/* The same, where all but operator new have return probes: their return address is another then. */
SEC("?uprobe")
int heap_exit_new(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return exits_new(ctx);
}

static __always_inline int maps(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (armed == ARMED_ALL && is_target(tgid))
		emit_maps(tgid);
	return 0;
}

/* The dynamic linker calls it for debuggers, when it begins and when it has ended to change what is
 * mapped. */
SEC("?uprobe")
int heap_linker(struct pt_regs *ctx)
{
	UPROBE_GUARD(ctx);
	return maps();
}

/* Goes over the table of blocks: heap_shift was raised because it is nearly full, or the memory of a
 * process is gone. */
SEC("?iter/bpf_map_elem")
int heap_sweep(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct wire_block_key *at = ctx->key;
	struct wire_block *block = ctx->value, was;
	struct wire_block_key key;
	struct wire_owner *owner;
	bool gone, kept;
	u64 after = 0, cnt;
	u32 shift = table_shift();

	if (!at || !block)
		return 0;
	key = *at;
	was = *block;
	gone = (key.tgid == heap_gone_tgid || heap_gone_tgid == HEAP_GONE_ALL) &&
	       was.ns <= heap_gone_ns;
	kept = !gone && is_kept(key.addr, shift);
	if (kept && was.shift == shift)
		return 0;
	cnt = block_cnt(&was);
	if (kept) {
		after = was.weight << ((shift - was.shift) & 31);
		block->weight = after;
		block->shift = shift;
	} else {
		if (bpf_map_delete_elem(&blocks, &key))
			return 0;
		gauge_add(GAUGE_HEAP_BLOCKS, -1);
	}
	/* of what is still held, and of what was freed, it is known that it was allocated */
	if (gone)
		use_add(was.owner, was.site, USE_MANY(IO_ALLOC, USE_DONE, cnt), 0, was.weight);
	gauge_add(GAUGE_HEAP_LIVE, after - was.weight);
	owner = bpf_map_lookup_elem(&owners, &was.owner);
	if (owner) {
		__sync_fetch_and_add(&owner->swept_bytes, after - was.weight);
		__sync_fetch_and_add(&owner->swept_cnt, (kept ? block_cnt(block) : 0) - cnt);
	}
	return 0;
}
