/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user/target: processes of every kind, mappings, memory, masks, finding; against this process and
 * children of it. Run by tests/run. */
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "target/maps.h"
#include "target/mask.h"
#include "target/proc.h"

#define CHILD_NAME "as-unit-child"

/* A child that says "ready" and stays until it is killed. */
struct child {
	pid_t pid;
	int ready;
};

typedef void (*child_fn)(int ready);

static void say_ready(int ready)
{
	if (write(ready, "x", 1) != 1)
		_exit(1);
}

static void child_pause(int ready)
{
	say_ready(ready);
	for (;;)
		pause();
}

static struct child child_start(child_fn fn)
{
	struct child child;
	int fds[2];
	char byte;

	if (pipe2(fds, O_CLOEXEC))
		abort();
	child.pid = fork();
	if (!child.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		fn(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	child.ready = fds[0];
	/* A byte, or the end of the pipe when the child has ended or execs. */
	if (read(fds[0], &byte, 1) < 0)
		abort();
	return child;
}

static void child_stop(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->ready);
}

/* --- text of /proc --- */

static const char hostile_maps[] =
	"55d0a0000000-55d0a0001000 r-xp 00001000 fe:00 12                /srv/a file with spaces\n"
	"55d0a0001000-55d0a0002000 r--p 00000000 fe:00 13                /srv/new\\012line\n"
	"55d0a0002000-55d0a0003000 r-xp 00000000 fe:00 14                /srv/gone (deleted)\n"
	"55d0a0003000-55d0a0004000 rw-p 00000000 00:00 0 \n"
	"55d0a0004000-55d0a0005000 rw-p 00000000 00:00 0                 [heap]\n"
	"7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0                 [vdso]\n"
	"7ffd00001000-7ffd00002000 rw-p 00000000 00:00 0                 [anon:x (deleted)]\n"
	"not a mapping\n"
	"\n"
	"7ffd00003000-7ffd00002000 r-xp 00000000 fe:00 15                /end/before/start\n"
	"7ffd00003000-7ffd00004000 r-xp\n"
	"7ffd00003000\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0         [vsyscall]\n"
	"1000-2000 r-xs 00000000 103:0a 18446744073709551615             /no/newline/behind";

static void test_maps_parse(void)
{
	struct target_map *maps = NULL;
	size_t cnt = 0, cap = 0;
	FILE *in = fmemopen((void *)hostile_maps, sizeof(hostile_maps) - 1, "r");
	int err = target_maps__parse(in, &maps, &cnt, &cap);

	fclose(in);
	ok(!err && cnt == 9, "maps: lines that are none are skipped (%zu)", cnt);
	ok(maps[0].executable && maps[0].file_off == 0x1000 && maps[0].inode == 12 &&
		   !strcmp(maps[0].path, "/srv/a file with spaces") && !maps[0].deleted,
	   "maps: a path with spaces");
	ok(!strcmp(maps[1].path, "/srv/new\\012line") && !maps[1].executable,
	   "maps: a newline stays escaped");
	ok(maps[2].deleted, "maps: a deleted file");
	ok(!maps[3].path, "maps: anonymous memory has no path");
	ok(!strcmp(maps[5].path, "[vdso]") && !maps[5].inode, "maps: the vdso has no inode");
	ok(!maps[6].deleted, "maps: a name is no file, whatever it says");
	ok(maps[7].start == 0xffffffffff600000, "maps: the highest addresses");
	ok(maps[8].inode == UINT64_MAX && !strcmp(maps[8].path, "/no/newline/behind"),
	   "maps: the last line without a newline");
	target_maps__free(maps, cnt);
	target_maps__free(NULL, 3);
}

static void test_stat_parse(void)
{
	struct proc_stat stat;
	int err;

	err = proc_stat__parse(&stat,
			       "7 (a) R 1 (b c) S 1 7 7 0 -1 4194304 5 0 0 0 1 2 0 0 20 0 1 0 "
			       "4711 9 9");
	ok(!err && !strcmp(stat.comm, "a) R 1 (b c") && stat.state == 'S' &&
		   stat.flags == 4194304 && stat.start_ticks == 4711,
	   "stat: a name with parentheses");
	ok(proc_stat__parse(&stat, "7 (a S 1") < 0 && proc_stat__parse(&stat, "") < 0 &&
		   proc_stat__parse(&stat, ") (") < 0 && proc_stat__parse(&stat, "7 (a) S 1") < 0,
	   "stat: broken text is refused");
}

/* --- cleaning and masking --- */

static void test_clean(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"", ""},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"esc\x1b[31m\n\t\x7f", "esc?[31m???"},
		{"\xc2\x9b"
		 "31m",
		 "?31m"}, /* CSI as one character */
		{"bad\xff\xc0\x80\xe2\x82", "bad?????"},
		{"\xed\xa0\x80", "???"}, /* a surrogate */
		{"a\xe2\x80\xaez\xef\xbb\xbf", "a?z?"}, /* right to left, byte order mark */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = strdup(cases[i].in);

		target_clean(text);
		ok(!strcmp(text, cases[i].out), "clean %zu: '%s'", i, cases[i].out);
		free(text);
	}
}

/* '|' stands for the NUL between arguments. */
static char *masked(const char *text)
{
	char *args = strdup(text), *out;
	size_t sz = strlen(text);

	for (size_t i = 0; i < sz; i++)
		if (args[i] == '|')
			args[i] = '\0';
	out = target_mask_cmdline(args, sz);
	free(args);
	return out;
}

static void test_mask(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		/* what must go */
		{"app|--password|hunter2|-v", "app --password *** -v"},
		{"app|--password=hunter2 and more|-v", "app --password=*** -v"},
		{"app|--db-password|x", "app --db-password ***"},
		{"app|--token|abc", "app --token ***"},
		{"app|--token=abc", "app --token=***"},
		{"app|--client-secret=abc", "app --client-secret=***"},
		{"app|key=abc", "app key=***"},
		{"app|--key|abc", "app --key ***"},
		{"app|API_KEY=abc", "app API_KEY=***"},
		{"app|accessToken=abc", "app accessToken=***"},
		{"app|-Dspring.datasource.password=a b", "app -Dspring.datasource.password=***"},
		{"app|--password|--token|abc", "app --password *** ***"},
		{"app|postgres://bob:s3cret@db:5432/x", "app postgres://bob:***@db:5432/x"},
		{"app|redis://:s3cret@cache/0", "app redis://:***@cache/0"},
		{"app|amqp://u:p/w?#d@host/v", "app amqp://u:***@host/v"},
		{"app|https://u:a@b@host/", "app https://u:***@host/"},
		{"app|bob:s3cret@tcp(db:3306)/x", "app bob:***@tcp(db:3306)/x"},
		{"app|https://x.org/?token=abc&page=2", "app https://x.org/?token=***&page=2"},
		{"app|https://0123456789abcdef0123@git.org/", "app https://***@git.org/"},
		{"sh|-c|mysql --password 'a b' -h db", "sh -c mysql --password '***' -h db"},
		{"sh|-c|x PGPASSWORD=abc psql -h db", "sh -c x PGPASSWORD=*** psql -h db"},
		{"app|{\"password\": \"a b\", \"port\": 1}",
		 "app {\"password\": \"***\", \"port\": 1}"},
		{"app|{\\\"token\\\":\\\"abc\\\",1}", "app {\\\"token\\\":\\\"***\\\",1}"},
		{"app|{\"password\":\"a\\\"b\",1}", "app {\"password\":\"***\",1}"},
		{"app|x password=\\a\\b c", "app x password=*** c"},
		{"curl|-H|Authorization: Bearer abc.def", "curl -H Authorization: ***"},
		{"curl|-H|X-Api-Key: abc", "curl -H X-Api-Key: ***"},
		{"curl|-u|bob:abc|x", "curl -u *** x"},
		{"/usr/bin/mysql|-uroot|-pabc|db", "/usr/bin/mysql -uroot -p*** db"},
		{"app|--auth|Zm9vYmFyMTIzNDU2Nzg5MA==", "app --auth ***"},
		{"app|--session=0123456789abcdef0123", "app --session=***"},
		{"app|ghp_0123456789abcdefABCDEF", "app ***"},
		{"app|--password|", "app --password"},
		{"app|--password||x", "app --password  x"},
		{"app|--password", "app --password"},
		/* what must stay */
		{"node|/srv/app.js|--port|8080", "node /srv/app.js --port 8080"},
		{"app|http://host:8080/a@b", "app http://host:8080/a@b"},
		{"app|--max-tokens|4096|--tokenizer=bpe", "app --max-tokens 4096 --tokenizer=bpe"},
		{"app|git@github.com:a/b.git", "app git@github.com:a/b.git"},
		{"app|--author|Somebody", "app --author Somebody"},
		{"app|--sort|a=b|c:d", "app --sort a=b c:d"},
		{"app|sha256:0123456789abcdef0123456789", "app sha256:0123456789abcdef0123456789"},
		{"", ""},
		{"|", ""},
		/* what must not reach a terminal */
		{"app|\x1b[2J", "app ?[2J"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *out = masked(cases[i].in);
		size_t sz = strlen(out);

		while (sz && out[sz - 1] == ' ')
			out[--sz] = '\0';
		ok(!strcmp(out, cases[i].out), "mask: %s -> %s", cases[i].out, out);
		free(out);
	}
}

/* --- kinds of process --- */

static enum target_error open_error(pid_t pid)
{
	enum target_error error;
	struct target *target = target__open(pid, &error);

	target__free(target);
	return error;
}

static const struct target_map *map_at(const struct target *target, uint64_t addr)
{
	for (size_t i = 0; i < target->map_cnt; i++)
		if (target->maps[i].start <= addr && addr < target->maps[i].end)
			return &target->maps[i];
	return NULL;
}

static void test_self(void)
{
	const struct target_map *map;
	enum target_error error;
	struct target *target = target__open(getpid(), &error);
	struct timespec now;
	char exe[PATH_MAX];
	pid_t *tids;

	ok(target && !error, "self: opened");
	if (!target)
		return;
	exe[readlink("/proc/self/exe", exe, sizeof(exe) - 1)] = '\0';
	ok(!strcmp(target->exe, exe), "self: exe is %s", target->exe);
	ok(!strcmp(target->comm, program_invocation_short_name) ||
		   !strncmp(target->comm, program_invocation_short_name, 15),
	   "self: comm is %s", target->comm);
	ok(strstr(target->cmdline, program_invocation_short_name) != NULL, "self: cmdline is %s",
	   target->cmdline);
	map = map_at(target, (uintptr_t)test_self);
	ok(map && map->executable && map->path && !strcmp(map->path, exe) && !map->deleted,
	   "self: this function is in a mapping of exe");
	clock_gettime(CLOCK_BOOTTIME, &now);
	ok(target->start_boot_ns <= (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec &&
		   target->start_boot_ns + 600000000000 > (uint64_t)now.tv_sec * 1000000000,
	   "self: began within the last ten minutes");
	ok(target->uid == geteuid(), "self: uid %u", target->uid);
	ok(!strcmp(target->namespaces, ""), "self: namespaces '%s'", target->namespaces);
	ok(target__alive(target) && target->via == getpid(), "self: alive");
	ok(target__threads(target, &tids) == 1 && tids[0] == getpid(), "self: one thread");
	free(tids);
	target__free(target);
	target__free(NULL);
}

static void *thread_wait(void *arg)
{
	struct pollfd gate = {.fd = *(int *)arg, .events = POLLIN};
	char tid[16];

	(void)!write(*((int *)arg + 1), tid,
		     (size_t)snprintf(tid, sizeof(tid), "%ld", syscall(SYS_gettid)));
	poll(&gate, 1, 30000);
	return NULL;
}

static void test_thread(void)
{
	int gate[2], told[2], fds[2];
	enum target_error error;
	struct target *target = target__open(getpid(), &error);
	char text[16] = "";
	pthread_t thread;
	pid_t tid, *tids;

	if (pipe(gate) || pipe(told) || !target)
		abort();
	fds[0] = gate[0];
	fds[1] = told[1];
	pthread_create(&thread, NULL, thread_wait, fds);
	(void)!read(told[0], text, sizeof(text) - 1);
	tid = atoi(text);
	ok(tid > 0 && tid != getpid() && open_error(tid) == TARGET_IS_THREAD,
	   "thread: its id is no process");
	ok(target_pid_of(tid) == getpid() && target_pid_of(getpid()) == getpid(),
	   "thread: its process is found");
	ok(target__threads(target, &tids) == 2, "thread: two are listed");
	free(tids);
	close(gate[1]);
	pthread_join(thread, NULL);
	close(gate[0]);
	close(told[0]);
	close(told[1]);
	target__free(target);
}

static void child_exit(int ready)
{
	(void)ready;
	_exit(0);
}

static void test_zombie(void)
{
	struct child child = child_start(child_exit);
	siginfo_t info;

	waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT);
	ok(open_error(child.pid) == TARGET_ZOMBIE, "zombie: told as one");
	child_stop(&child);
	ok(open_error(child.pid) == TARGET_NOT_FOUND, "reaped: not found");
	ok(open_error(0) == TARGET_NOT_FOUND && open_error(-1) == TARGET_NOT_FOUND &&
		   open_error(INT_MAX) == TARGET_NOT_FOUND,
	   "no pid: not found");
	ok(target_pid_of(-1) == -1 && target_pid_of(INT_MAX) == -1, "no pid: of no process");
}

static void test_kernel_thread(void)
{
	struct proc_stat stat;

	if (proc_stat__read(&stat, 2) || strcmp(stat.comm, "kthreadd")) {
		ok(true,
		   "kernel thread: told as one # SKIP pid 2 is no kernel thread here (a container)");
		return;
	}
	ok(open_error(2) == TARGET_KERNEL_THREAD, "kernel thread: told as one");
}

static int leader_ready;

static void *thread_outlives(void *arg)
{
	struct proc_stat stat;

	(void)arg;
	while (proc_stat__read(&stat, getpid()) || stat.state != 'Z')
		sched_yield();
	child_pause(leader_ready);
	return NULL;
}

static void child_leaderless(int ready)
{
	pthread_t thread;

	leader_ready = ready;
	pthread_create(&thread, NULL, thread_outlives, NULL);
	/* The system call: the sanitizer's thread end would wait. */
	syscall(SYS_exit, 0);
}

static void test_leaderless(void)
{
	struct child child = child_start(child_leaderless);
	enum target_error error;
	struct target *target = target__open(child.pid, &error);
	uint64_t val = 0;
	static const uint64_t mark = 0x1122334455667788;

	ok(target && target->via != child.pid && target->map_cnt && target->exe,
	   "main thread ended, others live: opened by another thread");
	ok(target && target__read(target, (uintptr_t)&mark, &val, sizeof(val)) == sizeof(val) &&
		   val == mark,
	   "main thread ended: memory is read");
	ok(target && target__alive(target), "main thread ended: the process is alive");
	child_stop(&child);
	ok(target && !target__alive(target), "main thread ended: the end is noticed");
	target__free(target);
}

static void test_end(void)
{
	struct child child = child_start(child_pause);
	enum target_error error;
	struct target *target = target__open(child.pid, &error);
	struct pollfd ended;
	int without_pidfd;

	ok(target && target__alive(target), "child: alive");
	ended = (struct pollfd){.fd = target->pidfd, .events = POLLIN};
	kill(child.pid, SIGKILL);
	if (target->pidfd >= 0)
		poll(&ended, 1, 10000);
	ok(!target__alive(target), "child: its end is noticed before it is reaped");
	without_pidfd = target->pidfd;
	target->pidfd = -1;
	child_stop(&child);
	ok(!target__alive(target), "child: without a pidfd too");
	ok(target__refresh(target) < 0 && target->map_cnt,
	   "child: a failed refresh keeps what was read");
	target->pidfd = without_pidfd;
	target__free(target);
}

static int exec_gate[2];

static void child_exec(int ready)
{
	char byte;

	say_ready(ready);
	close(exec_gate[1]);
	(void)!read(exec_gate[0], &byte, 1);
	execl("/bin/sleep", "sleep", "60", NULL);
	_exit(1);
}

static void test_exec(void)
{
	enum target_error error;
	struct target *target;
	struct child child;
	char byte;

	if (pipe2(exec_gate, O_CLOEXEC))
		abort();
	child = child_start(child_exec);
	target = target__open(child.pid, &error);
	close(exec_gate[0]);
	close(exec_gate[1]);
	(void)!read(child.ready, &byte, 1); /* closed by the exec */
	ok(target && !target__refresh(target) && !strcmp(target->comm, "sleep") &&
		   strstr(target->exe, "bin/") && !strcmp(target->cmdline, "sleep 60"),
	   "exec: refresh sees the new program");
	target__free(target);
	child_stop(&child);
}

/* --- memory --- */

static void test_memory(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enum target_error error;
	struct target *target;
	struct child child;
	char buf[512];

	memset(mem, 'a', (size_t)page);
	strcpy(mem, "bad\x1b name");
	strcpy(mem + 100, "0123456\xe2\x82\xac");
	mprotect(mem + page, (size_t)page, PROT_NONE);
	child = child_start(child_pause);
	munmap(mem, 2 * (size_t)page); /* only the child has it now */
	target = target__open(child.pid, &error);
	ok(target__read(target, (uintptr_t)mem, buf, 9) == 9 && !memcmp(buf, "bad\x1b name", 9),
	   "memory: read");
	ok(target__read(target, (uintptr_t)mem + (size_t)page - 4, buf, 16) == 4,
	   "memory: up to the unreadable page");
	ok(target__read(target, 8, buf, 16) == -EFAULT, "memory: nothing there");
	ok(target__read(target, UINT64_MAX - 4, buf, 16) < 0, "memory: the last addresses");
	ok(target__read(target, (uintptr_t)mem, buf, 0) == 0, "memory: nothing asked for");
	target__read_str(target, (uintptr_t)mem, buf, sizeof(buf));
	ok(!strcmp(buf, "bad? name"), "string: cleaned");
	target__read_str(target, (uintptr_t)mem + (size_t)page - 4, buf, sizeof(buf));
	ok(!strcmp(buf, "aaaa"), "string: ends with its memory");
	target__read_str(target, (uintptr_t)mem + 200, buf, 81);
	ok(strlen(buf) == 80, "string: bounded");
	target__read_str(target, (uintptr_t)mem + 200, buf, sizeof(buf));
	ok(strlen(buf) == sizeof(buf) - 1, "string: longer than a chunk");
	target__read_str(target, (uintptr_t)mem + 100, buf, 10);
	ok(!strcmp(buf, "0123456"), "string: a cut character is dropped");
	target__read_str(target, 8, buf, sizeof(buf));
	ok(!strcmp(buf, ""), "string: unreadable is empty");
	target__read_str(target, (uintptr_t)mem, buf, 1);
	ok(!strcmp(buf, ""), "string: room for nothing");
	target__free(target);
	child_stop(&child);
}

static void test_cpu(void)
{
	struct timespec own;
	int64_t before = target_cpu_ns(getpid()), after, by_clock;

	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
		by_clock = own.tv_sec * 1000000000ll + own.tv_nsec;
	} while (by_clock < before + 30000000);
	after = target_cpu_ns(getpid());
	ok(before > 0 && after >= by_clock && after - by_clock < 1000000000,
	   "cpu: the same as the process's own clock");
	ok(target_cpu_ns(INT_MAX) == -ESRCH && target_cpu_ns(0) == -ESRCH, "cpu: of no process");
}

/* --- finding --- */

static bool has_pid(const pid_t *pids, int cnt, pid_t pid)
{
	for (int i = 0; i < cnt; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void child_named(int ready)
{
	prctl(PR_SET_NAME, CHILD_NAME);
	child_pause(ready);
}

static void test_find_name(void)
{
	struct child child = child_start(child_named);
	char exe[PATH_MAX], own[16] = "";
	const char *base;
	pid_t *pids;
	int cnt;

	prctl(PR_GET_NAME, own);
	prctl(PR_SET_NAME, CHILD_NAME);
	cnt = target_find_by_name(CHILD_NAME, &pids);
	ok(cnt >= 1 && has_pid(pids, cnt, child.pid) && !has_pid(pids, cnt, getpid()),
	   "by name: the child, not the searcher");
	free(pids);
	prctl(PR_SET_NAME, own);
	exe[readlink("/proc/self/exe", exe, sizeof(exe) - 1)] = '\0';
	base = strrchr(exe, '/') + 1;
	cnt = target_find_by_name(base, &pids);
	ok(cnt >= 1 && has_pid(pids, cnt, child.pid), "by name: by the executable's");
	free(pids);
	cnt = target_find_by_name("no-such-program-as-this", &pids);
	ok(cnt == 0, "by name: none");
	free(pids);
	cnt = target_find_by_name("kthreadd", &pids);
	ok(cnt == 0, "by name: kernel threads are none");
	free(pids);
	child_stop(&child);
}

/* A cgroup below one of the usual mounts, made for this test. */
static bool make_cgroup(char *path, size_t sz, const char *name)
{
	static const char *const mounts[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified",
					     "/sys/fs/cgroup"};
	char procs[PATH_MAX];

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", mounts[i]);
		snprintf(path, sz, "%s/%s", mounts[i], name);
		if (!access(procs, W_OK) && !mkdir(path, 0755))
			return true;
	}
	return false;
}

static bool join_cgroup(const char *path, pid_t pid)
{
	char procs[600];
	FILE *out;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	out = fopen(procs, "w");
	if (!out)
		return false;
	fprintf(out, "%d", pid);
	return !fclose(out);
}

/* Exactly this process? */
static bool finds_only(const char *cgroup, pid_t pid)
{
	pid_t *pids = NULL;
	int cnt = target_find_by_cgroup(cgroup, &pids);
	bool only = cnt == 1 && pids[0] == pid;

	if (!only)
		note("%s: %d", cgroup, cnt);
	free(pids);
	return only;
}

static void check_cgroup(const char *path, const char *name, const char *id, pid_t pid)
{
	char other[600], text[300];
	enum target_error error;
	struct target *target;
	pid_t *pids;

	ok(finds_only(path, pid), "by cgroup: absolute");
	snprintf(text, sizeof(text), "/%s", name);
	ok(finds_only(text, pid), "by cgroup: as /proc/PID/cgroup has it");
	ok(finds_only(name, pid), "by cgroup: relative");
	snprintf(text, sizeof(text), "%.12s", id);
	snprintf(other, sizeof(other), "%s/libpod-conmon-%s", path, id);
	mkdir(other, 0755);
	ok(finds_only(text, pid), "by cgroup: by the beginning of a container's id");
	rmdir(other);
	snprintf(other, sizeof(other), "%s-2", path);
	mkdir(other, 0755);
	ok(target_find_by_cgroup(text, &pids) == -ENOTUNIQ,
	   "by cgroup: an ambiguous id is refused");
	rmdir(other);
	target = target__open(pid, &error);
	ok(target && target->container && !strcmp(target->container, id),
	   "container: its id from the cgroup");
	target__free(target);
}

static void test_find_cgroup(void)
{
	char name[160], id[65], path[400], below[420];
	struct child child;
	pid_t *pids;

	ok(target_find_by_cgroup("", &pids) == -EINVAL &&
		   target_find_by_cgroup("../../proc", &pids) == -EINVAL &&
		   target_find_by_cgroup("/a/..", &pids) == -EINVAL,
	   "by cgroup: only below the mount");
	snprintf(id, sizeof(id), "%08x%056x", getpid(), 0xabc);
	snprintf(name, sizeof(name), "as-unit-%s.scope", id);
	if (!make_cgroup(path, sizeof(path), name)) {
		ok(true, "by cgroup # SKIP cannot make a cgroup here");
		return;
	}
	child = child_start(child_pause);
	snprintf(below, sizeof(below), "%s/init", path);
	mkdir(below, 0755);
	if (join_cgroup(below, child.pid))
		check_cgroup(path, name, id, child.pid);
	else
		ok(true, "by cgroup # SKIP cannot move a process into a cgroup here");
	child_stop(&child);
	rmdir(below);
	ok(finds_only(path, 0) == false && target_find_by_cgroup(path, &pids) == 0,
	   "by cgroup: an empty one has no processes");
	rmdir(path);
}

static void test_denied(void)
{
	struct child child;
	pid_t pid;
	int status;

	if (geteuid()) {
		ok(open_error(1) == TARGET_DENIED, "denied: another user's process");
		return;
	}
	child = child_start(child_pause);
	pid = fork();
	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(2);
		_exit(open_error(child.pid) == TARGET_DENIED ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && !WEXITSTATUS(status), "denied: another user's process");
	child_stop(&child);
	ok(strstr(target_error_text(TARGET_DENIED), "CAP_SYS_PTRACE") != NULL,
	   "denied: names the remedy");
}

int main(void)
{
	test_maps_parse();
	test_stat_parse();
	test_clean();
	test_mask();
	test_self();
	test_thread();
	test_zombie();
	test_kernel_thread();
	test_leaderless();
	test_end();
	test_exec();
	test_memory();
	test_cpu();
	test_find_name();
	test_find_cgroup();
	test_denied();
	return tap_done();
}
