/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's types that the BPF side looks into, kept by hand: only the members that are used,
 * each relocated by CO-RE against the running kernel's BTF, so that the build needs no BTF and a
 * reader sees at once what we depend on. A member that moved or was renamed gets a flavour
 * (struct name___since) and an accessor in bpf/compat.bpf.h.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

/* Saved registers at kernel entry: the hardware's layout, not relocated. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax;
	unsigned long ip, cs, flags, sp, ss;
};

struct bpf_perf_event_data {
	struct pt_regs regs;
	__u64 sample_period;
	__u64 addr;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sched_entity {
	u64 sum_exec_runtime;
};

struct qstr {
	u64 hash_len;
	const unsigned char *name;
};

struct super_block {
	unsigned long s_magic;
	u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	u32 i_rdev;
	struct super_block *i_sb;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct fs_struct {
	struct path root;
};

typedef struct {
	s64 counter;
} atomic64_t;

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_mode;
	atomic64_t f_count;
	void *private_data;
};

struct in6_addr {
	u8 in6_u[16];
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	u16 sk_type;
	u16 sk_protocol;
	struct socket *sk_socket;
};

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};

struct minmax_sample {
	u32 t;
	u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	u32 srtt_us;
	u32 mdev_us;
	u32 rttvar_us;
	struct minmax rtt_min;
	u32 snd_cwnd;
	u32 mss_cache;
	u32 segs_in;
	u32 segs_out;
	u32 total_retrans;
	u32 rcv_nxt;
	u32 copied_seq;
	u64 bytes_acked;
	u64 bytes_received;
};

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct inet_sock {
	u16 inet_sport;
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct gendisk {
	int major;
	int first_minor;
};

struct request_queue {
	void *elevator;
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
};

struct mm_struct {
	unsigned long brk;
};

struct trace_entry {
	unsigned short type;
};

struct trace_event_raw_sys_enter {
	struct trace_entry ent;
	long id;
};

struct trace_event_raw_sys_exit {
	struct trace_entry ent;
	long id;
	long ret;
};

struct trace_event_raw_rss_stat {
	struct trace_entry ent;
	u32 mm_id;
	u32 curr;
	int member;
	long size;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct thread_info {
	u32 status;
};

struct sched_info {
	unsigned long long run_delay;
};

struct task_io_accounting {
	u64 read_bytes;
	u64 write_bytes;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	int on_cpu;
	struct sched_entity se;
	struct sched_info sched_info;
	unsigned int in_iowait : 1;
	int pid;
	int tgid;
	u64 utime;
	u64 stime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	u64 start_time;
	unsigned long min_flt;
	unsigned long maj_flt;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct mm_struct *mm;
	struct task_io_accounting ioac;
	void *stack;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	struct file *vm_file;
};

struct vm_fault {
	struct vm_area_struct *vma;
};

struct io_cqe {
	s32 res;
};

struct io_kiocb {
	struct file *file;
	struct io_cqe cqe;
};

struct msghdr {
	void *msg_name;
	int msg_namelen;
};

struct linux_binprm {
	int argc;
};

struct seq_file {
	u64 index;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

#pragma clang attribute pop

/* Context of iter programs: fixed by the kernel's BPF interface. */
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct bpf_map;
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#endif
