/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages for the person at the terminal, on stderr. Only the layer that knows the remedy prints.
 * A newline is added where there is none. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
	LOG_QUIET = -1, /* -q: errors only */
	LOG_NORMAL,
	LOG_VERBOSE, /* -v */
	LOG_DEBUG, /* -vv: libbpf's own text too */
};

extern enum log_level log_level;

/* "asyncscope-bpf: ..." always */
void log_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "asyncscope-bpf: warning: ..." unless -q */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* plain text unless -q */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* with -v */
void log_verbose(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
