/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounting of operations on files, whatever source saw them: which file it was, the counters of
 * the innermost frame, and the table of uses.
 */
#include "io.bpf.h"
#include "compat.bpf.h"

/*
 * (task, object, operation) -> a distribution. There are two tables: user space swaps them in `uses`
 * and empties the one that is out of use. The swap waits for programs that still hold the other one
 * (the kernel does so for maps in maps), so nothing that was counted is lost.
 */
struct use_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192); /* live/object.c makes it larger where it costs nothing */
	/* sizes, not types: up to 6.1 a map with types is no match for a pattern without */
	__uint(key_size, sizeof(struct wire_use_key));
	__uint(value_size, sizeof(struct wire_use_val));
};
struct use_table use_table_0 SEC(".maps"), use_table_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct use_table);
} uses SEC(".maps") = {.values = {&use_table_0}};

/* What a new entry begins as: never written to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct wire_use_val);
} use_fresh SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GAUGE_CNT);
	__type(key, u32);
	__type(value, s64);
} gauges SEC(".maps");

/* Files that user space has been told of. The same dentry has another path by another mount: in
 * another container, say. `check` tells whether it still is the same file under the same name. */
struct file_key {
	u64 dentry;
	u64 mount;
};

struct known_file {
	u64 id;
	u64 check;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct file_key);
	__type(value, struct known_file);
} files SEC(".maps");

/* Where a path is put together. */
#define NAME_MAX_SZ 256 /* of one component, with its NUL */
struct path_walk {
	struct dentry *dentry, *root;
	struct mount *mount, *root_mount;
	u64 off;
	u32 flags;
	u32 done;
};

struct path_scratch {
	struct wire_file file;
	char path[FILE_PATH_MAX + NAME_MAX_SZ];
	/* in memory, where the verifier does not follow each of its values */
	struct path_walk walk;
	u64 owner; /* who is at it: programs of system calls may be preempted */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct path_scratch);
} path_scratch SEC(".maps");

__hidden void gauge_add(u32 gauge, s64 val)
{
	s64 *sum = bpf_map_lookup_elem(&gauges, &gauge);

	if (sum)
		__sync_fetch_and_add(sum, val);
}

static __always_inline u32 use_bucket(u64 ns)
{
	u32 log = log2_u64(ns), idx;

	if (log < IO_MIN_LOG2)
		return 0;
	idx = (log - IO_MIN_LOG2) * 4 + (ns >> (log - 2) & 3);
	return idx < IO_BUCKETS ? idx : IO_BUCKETS - 1;
}

/* *fresh: it is a new entry. */
static __always_inline struct wire_use_val *use_of(struct wire_use_key *key, bool *fresh)
{
	u32 zero = 0;
	void *table = bpf_map_lookup_elem(&uses, &zero);
	struct wire_use_val *val, *empty;

	*fresh = false;
	if (!table)
		return NULL;
	val = bpf_map_lookup_elem(table, key);
	if (val)
		return val;
	empty = bpf_map_lookup_elem(&use_fresh, &zero);
	if (!empty)
		return NULL;
	*fresh = true;
	bpf_map_update_elem(table, key, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, key);
}

/* Disks complete in interrupts, connections are made there, blocks are freed by anybody; all others
 * are a thread's own. */
static __always_inline bool is_shared(u32 op)
{
	return op == IO_DISK_READ || op == IO_DISK_WRITE || op == IO_CONNECT || op == IO_FREE ||
	       op == IO_ALLOC;
}

static __always_inline void add_to(u64 *sum, u64 val, u32 op)
{
	if (is_shared(op))
		__sync_fetch_and_add(sum, val);
	else
		*sum += val;
}

__noinline int use_add(u64 task, u64 object, u64 what, u64 ns, u64 bytes)
{
	struct wire_use_key key = {.task = task, .object = object, .op = what & 0xff};
	u32 outcome = what >> 8 & 0xff, idx;
	u64 cnt = what >> 16;
	bool fresh;
	struct wire_use_val *val = use_of(&key, &fresh);

	if (!val) {
		count_loss(LOSS_USES_FULL);
		return 0;
	}
	if (outcome == USE_DONE) {
		add_to(&val->cnt, cnt, key.op);
		add_to(&val->bytes, bytes, key.op);
	} else if (outcome == USE_FAILED) {
		add_to(&val->errors, cnt, key.op);
	} else {
		add_to(&val->again, cnt, key.op);
		return fresh;
	}
	if (!ns)
		return fresh;
	add_to(&val->ns, ns * cnt, key.op);
	if (ns > val->max_ns)
		val->max_ns = ns;
	idx = use_bucket(ns);
	if (idx >= IO_BUCKETS)
		return fresh;
	if (is_shared(key.op))
		__sync_fetch_and_add(&val->latency[idx], cnt);
	else
		val->latency[idx] += cnt;
	return fresh;
}

/* More than any real path has; the verifier walks through all of them. */
#define PATH_STEPS 128

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (struct mount *)((char *)mnt - bpf_core_field_offset(struct mount, mnt));
}

/* One step towards the root; the last one sets `done`. A function, so that no loop ends in a call:
 * kernels before 6.2 take that for one without an end. */
static __noinline void path_step(struct path_scratch *scratch)
{
	struct path_walk *walk = &scratch->walk;
	struct dentry *dentry = walk->dentry, *parent;
	struct mount *mount = walk->mount, *up;
	u64 off = BOUND(walk->off, FILE_PATH_MAX);
	long sz;

	walk->done = 1;
	if (dentry == walk->root && mount == walk->root_mount)
		return;
	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		up = BPF_CORE_READ(mount, mnt_parent);
		if (up == mount) {
			walk->flags |= FILE_DETACHED;
			return;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = up;
		walk->done = 0;
		return;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	if (parent == dentry) {
		walk->flags |= FILE_DETACHED;
		return;
	}
	if (off >= FILE_PATH_MAX - NAME_MAX_SZ) {
		walk->flags |= FILE_CUT;
		return;
	}
	sz = bpf_probe_read_kernel_str(&scratch->path[off], NAME_MAX_SZ,
				       BPF_CORE_READ(dentry, d_name.name));
	if (sz > 0)
		walk->off = off + sz;
	walk->dentry = parent;
	walk->done = 0;
}

/* The components, last one first; user space puts them together. */
static __always_inline void read_path(struct path_scratch *scratch, struct file *file)
{
	struct task_struct *task = current_task();
	struct path_walk *walk = &scratch->walk;

	walk->dentry = BPF_CORE_READ(file, f_path.dentry);
	walk->mount = mount_of(BPF_CORE_READ(file, f_path.mnt));
	walk->root = BPF_CORE_READ(task, fs, root.dentry);
	walk->root_mount = mount_of(BPF_CORE_READ(task, fs, root.mnt));
	walk->off = 0;
	walk->flags = 0;
	for (u32 i = 0; i < PATH_STEPS; i++) {
		path_step(scratch);
		if (*(volatile u32 *)&walk->done)
			break;
	}
	if (!walk->done)
		walk->flags |= FILE_CUT;
	scratch->file.path_sz = walk->off;
	scratch->file.flags |= walk->flags;
}

static __always_inline bool has_path(u32 type)
{
	return type == S_IFREG || type == S_IFDIR || type == S_IFBLK || type == S_IFCHR ||
	       type == S_IFIFO;
}

/* A pipe, an eventfd and their like are in no directory: their one name is all there is. */
static __always_inline bool is_alone(struct dentry *dentry)
{
	return BPF_CORE_READ(dentry, d_parent) == dentry;
}

static __always_inline bool is_deleted(struct dentry *dentry)
{
	return !BPF_CORE_READ(dentry, d_hash.pprev) && !is_alone(dentry);
}

/* Not static: the verifier looks at it once, not at each place that it is called from. */
__noinline int tell_file(u64 file_at, u64 id)
{
	struct file *file = (struct file *)file_at;
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	u64 self = bpf_get_current_pid_tgid();
	struct path_scratch *scratch;
	u32 zero = 0;
	long sz;

	scratch = bpf_map_lookup_elem(&path_scratch, &zero);
	if (!scratch)
		return 0;
	scratch->owner = self;
	scratch->file.id = id;
	scratch->file.ino = BPF_CORE_READ(inode, i_ino);
	scratch->file.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	scratch->file.rdev = BPF_CORE_READ(inode, i_rdev);
	scratch->file.mode = BPF_CORE_READ(inode, i_mode);
	scratch->file.magic = BPF_CORE_READ(inode, i_sb, s_magic);
	scratch->file.flags = is_deleted(dentry) ? FILE_DELETED : 0;
	__builtin_memset(scratch->file.pad, 0, sizeof(scratch->file.pad));
	/* the root of a file system is alone, too, and has a path */
	if ((scratch->file.mode & S_IFMT) == S_IFDIR ||
	    (has_path(scratch->file.mode & S_IFMT) && !is_alone(dentry))) {
		read_path(scratch, file);
	} else {
		scratch->file.flags |= FILE_PSEUDO;
		sz = bpf_probe_read_kernel_str(scratch->path, NAME_MAX_SZ,
					       BPF_CORE_READ(dentry, d_name.name));
		scratch->file.path_sz = sz > 0 ? sz : 0;
	}
	if (scratch->owner != self)
		return 0; /* it is told at its next use */
	return emit_file(&scratch->file);
}

static __always_inline u64 file_check(struct dentry *dentry)
{
	u64 check = BPF_CORE_READ(dentry, d_name.hash_len), name = 0;

	/* names in no directory have no hash, and eventfds, timerfds and such have one inode */
	if (!(u32)check) {
		bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
		check ^= name;
	}
	return check ^ (u64)is_deleted(dentry) << 63;
}

/* Not the one that the thread used last: the object that the file is, made known if need be. 0: not
 * now. */
static __noinline u64 find_file(struct thread_state *thread, struct file *file,
				struct file_key *key, u64 check)
{
	struct known_file fresh = {.check = check}, *known;

	fresh.check ^= BPF_CORE_READ(file, f_inode, i_ino) << 20;
	known = bpf_map_lookup_elem(&files, key);
	if (known && known->check == fresh.check)
		return known->id;
	fresh.id = object_id(thread);
	if (!tell_file(as_number(file), fresh.id))
		return 0;
	bpf_map_update_elem(&files, key, &fresh, BPF_ANY);
	return fresh.id;
}

static __always_inline u64 file_object(struct thread_state *thread, struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct file_key key = {
		.dentry = (u64)dentry,
		.mount = (u64)BPF_CORE_READ(file, f_path.mnt),
	};
	struct file_cache *last = &thread->file;
	u64 check = file_check(dentry);

	if (last->file == (u64)file && last->dentry == key.dentry && last->mount == key.mount &&
	    last->check == check && last->id)
		return last->id;
	last->id = find_file(thread, file, &key, check);
	last->file = (u64)file;
	last->dentry = key.dentry;
	last->mount = key.mount;
	last->check = check;
	return last->id;
}

static __always_inline void count_file(struct frame *frame, struct io_done *done, u32 type)
{
	if (is_again(done->ret))
		return;
	if (is_storage(type)) {
		frame->c[COUNTER_IO_TIME] += done->ns;
		gauge_add(GAUGE_IO_TIME, done->ns);
	}
	if (done->ret < 0) {
		frame->c[COUNTER_IO_ERRORS]++;
	} else if (done->op == IO_READ) {
		frame->c[COUNTER_IO_READS]++;
		frame->c[COUNTER_IO_READ_BYTES] += done->bytes;
	} else if (done->op == IO_WRITE) {
		frame->c[COUNTER_IO_WRITES]++;
		frame->c[COUNTER_IO_WRITE_BYTES] += done->bytes;
	}
}

static __always_inline void file_finish(struct thread_state *thread, struct io_done *done, u32 type)
{
	struct frame *frame = innermost(thread);
	u64 object = 0;

	if (done->file)
		object = file_object(thread, done->file);
	else
		count_loss(LOSS_FILE_UNKNOWN);
	count_file(frame, done, type);
	use_add(frame->task, object, USE(done->op, outcome_of(done->ret)), done->ns, done->bytes);
}

__hidden int io_finish(struct thread_state *thread, struct io_done *done)
{
	u32 type = done->file ? file_type(done->file) : done->on_socket ? S_IFSOCK : 0;

	if (type == S_IFSOCK)
		socket_finish(thread, done);
	else
		file_finish(thread, done, type);
	return 0;
}

/* The time is the writer's, and so is the failure. */
__hidden int io_finish_copy(struct thread_state *thread, struct io_done *done, struct file *out)
{
	u64 ns = done->ns;

	done->op = IO_READ;
	done->ns = 0;
	if (done->ret >= 0)
		io_finish(thread, done);
	done->op = IO_WRITE;
	done->file = out;
	done->ns = ns;
	return io_finish(thread, done);
}

__hidden int io_finish_accept(struct thread_state *thread, struct io_done *done,
			      struct file *accepted)
{
	if (done->ret < 0) {
		done->op = IO_ACCEPT;
		done->ns = 0; /* it waited for a caller */
		io_finish(thread, done);
	} else if (accepted) {
		socket_accepted(thread, accepted, done->now);
	} else {
		count_loss(LOSS_FILE_UNKNOWN);
	}
	return 0;
}
