/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of the target's memory, and the cleaning of text that came out of it. Called by adapters
 * for names, by cmd/ for what it prints. Reads only; nothing here can stop or change the target.
 */
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define STR_CHUNK 256

/* For kernels without process_vm_readv, and sandboxes that filter it. */
static ssize_t read_proc_mem(pid_t pid, uint64_t addr, void *buf, size_t sz)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = pread(fd, buf, sz, (off_t)addr);
	if (got < 0)
		got = errno == EIO ? -EFAULT : -errno;
	close(fd);
	return got;
}

ssize_t target__read(const struct target *target, uint64_t addr, void *buf, size_t sz)
{
	struct iovec local = {.iov_base = buf, .iov_len = sz};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = sz};
	ssize_t got;

	if (!sz)
		return 0;
	got = process_vm_readv(target->via, &local, 1, &remote, 1, 0);
	if (got >= 0)
		return got;
	if (errno == ENOSYS || errno == EPERM)
		return read_proc_mem(target->via, addr, buf, sz);
	return -errno;
}

/* Length of the well-formed UTF-8 sequence at `str`, 0 when there is none; *code is its value. */
static size_t utf8_decode(const unsigned char *str, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t sz, i;

	if (str[0] < 0x80) {
		*code = str[0];
		return 1;
	}
	sz = str[0] >= 0xf0 ? 4 : str[0] >= 0xe0 ? 3 : 2;
	if (str[0] < 0xc2 || str[0] > 0xf4)
		return 0;
	*code = str[0] & (0xff >> (sz + 1));
	for (i = 1; i < sz; i++) {
		if ((str[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (str[i] & 0x3f);
	}
	if (*code < least[sz] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return sz;
}

/* Control characters, and what turns the direction of a line or hides in it. */
static bool is_printable(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e))
		return false;
	return !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff;
}

void target_clean(char *str)
{
	unsigned char *in = (unsigned char *)str, *out = in;
	uint32_t code;
	size_t sz;

	while (*in) {
		sz = utf8_decode(in, &code);
		if (sz && is_printable(code)) {
			memmove(out, in, sz);
			out += sz;
		} else {
			*out++ = '?';
		}
		in += sz ? sz : 1;
	}
	*out = '\0';
}

/* A sequence that the buffer's end has cut is dropped, not shown as garbage. */
static void drop_cut_sequence(char *str)
{
	size_t sz = strlen(str), back = 0;
	unsigned char first;

	while (back < 3 && back < sz && ((unsigned char)str[sz - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back >= sz)
		return;
	first = (unsigned char)str[sz - 1 - back];
	if (first >= 0xc2 && back + 1 < (size_t)(first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2))
		str[sz - 1 - back] = '\0';
}

void target__read_str(const struct target *target, uint64_t addr, char *buf, size_t sz)
{
	size_t done = 0, want, len;
	ssize_t got;

	if (!sz)
		return;
	buf[0] = '\0';
	while (addr && done + 1 < sz) {
		want = sz - 1 - done < STR_CHUNK ? sz - 1 - done : STR_CHUNK;
		got = target__read(target, addr + done, buf + done, want);
		if (got <= 0)
			break;
		buf[done + (size_t)got] = '\0';
		len = strlen(buf + done);
		done += len;
		if (len < (size_t)got || (size_t)got < want)
			break;
	}
	drop_cut_sequence(buf);
	target_clean(buf);
}
