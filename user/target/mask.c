/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Masks what looks like a secret in a command line, for target__refresh: recordings are handed
 * around. In doubt it masks: a value that is not shown costs little.
 *
 * One scanner runs over each argument. It knows name=value and name: value (also quoted, in JSON,
 * queries and `sh -c` text), flags whose value follows, user:password@, and the forms of well-known
 * tokens.
 */
#include "target/mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "target/target.h"

#define RANDOM_SZ 16 /* shorter letters and digits are names and versions */

/* How much a name says about its value. */
enum key_class {
	KEY_NONE,
	KEY_MAYBE, /* a value of random letters and digits is a secret */
	KEY_SECRET,
};

struct mask {
	struct buf out;
	const char *arg;
	size_t sz;
	size_t pos;
	enum key_class next; /* what the previous word says about this one */
	bool in_authority; /* behind "://" */
	const char *short_flag; /* of this program, its value is a password: "-p" */
};

/* Programs whose passwords stand behind a letter. */
static const struct {
	const char *program;
	const char *flag;
} short_flags[] = {
	{"mysql", "-p"}, {"mariadb", "-p"},   {"sshpass", "-p"}, {"redis-cli", "-a"},
	{"curl", "-u"},  {"mosquitto", "-P"}, {"ldap", "-w"},    {"smbclient", "-U"},
};

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool contains(const char *text, size_t sz, const char *part)
{
	size_t part_sz = strlen(part);

	for (size_t i = 0; i + part_sz <= sz; i++)
		if (!strncasecmp(text + i, part, part_sz))
			return true;
	return false;
}

/* Is `word` in `text`, not as a part of another word? */
static bool contains_word(const char *text, size_t sz, const char *word)
{
	size_t word_sz = strlen(word);

	for (size_t i = 0; i + word_sz <= sz; i++)
		if (!strncasecmp(text + i, word, word_sz) &&
		    (!i || !isalnum((unsigned char)text[i - 1])) &&
		    (i + word_sz == sz || !isalnum((unsigned char)text[i + word_sz])))
			return true;
	return false;
}

static enum key_class classify(const char *name, size_t sz)
{
	static const char *const secrets[] = {"passw",        "passphrase", "secret",
					      "credential",   "apikey",     "accesskey",
					      "secretkey",    "privatekey", "requirepass",
					      "authorization"};
	static const char *const words[] = {"key", "pass", "pwd", "jwt", "bearer", "token"};
	static const char *const maybes[] = {"key",  "auth", "sig",  "session", "cookie",
					     "cert", "hash", "salt", "nonce",   "access"};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (contains(name, sz, secrets[i]))
			return KEY_SECRET;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (contains_word(name, sz, words[i]))
			return KEY_SECRET;
	/* accessToken, GITHUBTOKEN; but the tokens that language models count are none. */
	if (contains(name, sz, "token") && !contains(name, sz, "tokens") &&
	    !contains(name, sz, "tokeni"))
		return KEY_SECRET;
	for (size_t i = 0; i < sizeof(maybes) / sizeof(maybes[0]); i++)
		if (contains(name, sz, maybes[i]))
			return KEY_MAYBE;
	return KEY_NONE;
}

/* Long base64 or hex. */
static bool is_random(const char *val, size_t sz)
{
	size_t digits = 0, letters = 0, slashes = 0;

	if (sz < RANDOM_SZ || *val == '/' || *val == '.')
		return false;
	for (size_t i = 0; i < sz; i++) {
		digits += !!isdigit((unsigned char)val[i]);
		letters += !!isalpha((unsigned char)val[i]);
		slashes += val[i] == '/';
		if (!is_name_char(val[i]) && !strchr("+/=", val[i]))
			return false;
	}
	return digits && letters && slashes * 12 <= sz;
}

static bool is_known_token(const char *val, size_t sz)
{
	static const char *const prefixes[] = {"ghp_",  "gho_",  "ghs_", "github_pat_", "glpat-",
					       "xoxb-", "xoxp-", "sk-",  "sk_live_",    "AKIA",
					       "ASIA",  "eyJ",   "hvs.", "npm_",        "AIza"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(val, prefixes[i], strlen(prefixes[i])) && is_random(val, sz))
			return true;
	return false;
}

static void copy_to(struct mask *mask, size_t end)
{
	buf__add(&mask->out, mask->arg + mask->pos, end - mask->pos);
	mask->pos = end;
}

static void mask_to(struct mask *mask, size_t end)
{
	if (end > mask->pos)
		buf__puts(&mask->out, "***");
	mask->pos = end;
}

/* Where the word at `pos` ends; quotes end it too. */
static size_t word_end(const struct mask *mask, size_t pos)
{
	while (pos < mask->sz && !isspace((unsigned char)mask->arg[pos]) &&
	       !is_quote(mask->arg[pos]))
		pos++;
	return pos;
}

static size_t skip_spaces(const struct mask *mask, size_t pos)
{
	while (pos < mask->sz && isspace((unsigned char)mask->arg[pos]))
		pos++;
	return pos;
}

/* Backslashes stand before quotes in quoted shell text. */
static size_t skip_quotes(const struct mask *mask, size_t pos)
{
	while (pos < mask->sz && (is_quote(mask->arg[pos]) || mask->arg[pos] == '\\'))
		pos++;
	return pos;
}

/* Where what `quote` at open - 1 encloses ends. In text quoted twice both quotes are escaped. */
static size_t quoted_end(const struct mask *mask, size_t open)
{
	char quote = mask->arg[open - 1];
	bool twice = open >= 2 && mask->arg[open - 2] == '\\';
	size_t end;

	for (end = open; end < mask->sz && mask->arg[end] != quote; end++) {
		if (mask->arg[end] != '\\' || end + 1 >= mask->sz)
			continue;
		if (twice && mask->arg[end + 1] == quote)
			break;
		end++;
	}
	return end;
}

/* Masks a value at `pos`: what its opening quotes enclose, or up to `end`. */
static void mask_value(struct mask *mask, size_t end)
{
	size_t open = skip_quotes(mask, mask->pos);

	if (open > mask->pos && is_quote(mask->arg[open - 1])) {
		copy_to(mask, open);
		end = quoted_end(mask, open);
	}
	mask_to(mask, end);
}

/* The end of a value without quotes behind `name=` or `name:`. */
static size_t value_end(const struct mask *mask, bool whole_arg, bool is_header)
{
	size_t pos = mask->pos;

	if (whole_arg)
		return mask->sz;
	for (; pos < mask->sz && !is_quote(mask->arg[pos]); pos++)
		if (!is_header && (isspace((unsigned char)mask->arg[pos]) || mask->arg[pos] == '&'))
			break;
	return pos;
}

/* At a ':' in user:password@host? Masks the password. */
static bool mask_userinfo(struct mask *mask)
{
	size_t start = mask->pos + 1, end = word_end(mask, start), at = 0, port = start;

	while (port < end && isdigit((unsigned char)mask->arg[port]))
		port++;
	/* A path may hold an '@'; an unescaped '/' may stand in a password, but not in a port. */
	for (size_t i = start; i < end; i++) {
		if (strchr("/?#", mask->arg[i]) && (!mask->in_authority || i == port))
			break;
		if (mask->arg[i] == '@')
			at = i;
	}
	if (!at)
		return false;
	copy_to(mask, start);
	mask_to(mask, at);
	mask->in_authority = false;
	return true;
}

/* A name with the separator behind it: masks the value if the name says so. True when `pos` has
 * gone on. */
static bool mask_pair(struct mask *mask, size_t name_end, enum key_class class)
{
	size_t start = mask->pos, sep = skip_quotes(mask, name_end), val;
	bool is_header;

	if (sep >= mask->sz || (mask->arg[sep] != '=' && mask->arg[sep] != ':'))
		return false;
	if (mask->arg[sep] == ':' && mask->sz - sep > 2 && !strncmp(mask->arg + sep, "://", 3)) {
		copy_to(mask, sep + 3);
		mask->in_authority = true;
		return true;
	}
	if (class == KEY_NONE)
		return false;
	val = skip_spaces(mask, sep + 1);
	is_header = mask->arg[sep] == ':' && val > sep + 1;
	copy_to(mask, val);
	if (class == KEY_SECRET)
		mask_value(mask, value_end(mask, !start && mask->arg[sep] == '=', is_header));
	else
		mask->next = KEY_MAYBE;
	return true;
}

/* What a word says about the next one: flags always, bare words only if they say password. */
static enum key_class class_of_next(const char *name, size_t sz, enum key_class class)
{
	if (class == KEY_SECRET && (*name == '-' || contains(name, sz, "passw")))
		return KEY_SECRET;
	return class == KEY_NONE ? KEY_NONE : KEY_MAYBE;
}

/* A run of name characters at `pos`. */
static void scan_name(struct mask *mask)
{
	const char *name = mask->arg + mask->pos;
	size_t end = mask->pos, val_end = word_end(mask, mask->pos);
	enum key_class class, before = mask->next;

	while (end < mask->sz && is_name_char(mask->arg[end]))
		end++;
	class = classify(name, end - mask->pos);
	if (before == KEY_SECRET) {
		/* Two flags in a row: the first took no value, perhaps. */
		mask->next = *name == '-' ? class_of_next(name, end - mask->pos, class) : KEY_NONE;
		mask_to(mask, val_end);
		return;
	}
	mask->next = KEY_NONE;
	if ((before == KEY_MAYBE && is_random(name, val_end - mask->pos)) ||
	    is_known_token(name, end - mask->pos)) {
		mask_to(mask, before == KEY_MAYBE ? val_end : end);
		return;
	}
	if (mask->in_authority && end < mask->sz && mask->arg[end] == '@' &&
	    is_random(name, end - mask->pos)) {
		mask_to(mask, end);
		return;
	}
	if (mask_pair(mask, end, class))
		return;
	mask->next = class_of_next(name, end - mask->pos, class);
	copy_to(mask, end);
}

static void scan_arg(struct mask *mask)
{
	mask->in_authority = false;
	while (mask->pos < mask->sz) {
		char c = mask->arg[mask->pos];

		if (mask->next == KEY_SECRET && !isspace((unsigned char)c) && !is_name_char(c)) {
			mask->next = KEY_NONE;
			mask_value(mask, word_end(mask, mask->pos));
		} else if (c == ':' && mask_userinfo(mask)) {
			mask->next = KEY_NONE;
		} else if (is_name_char(c)) {
			scan_name(mask);
		} else {
			if (isspace((unsigned char)c) || is_quote(c) ||
			    (c == '/' && mask->pos && mask->arg[mask->pos - 1] != '/'))
				mask->in_authority = false;
			copy_to(mask, mask->pos + 1);
		}
	}
}

static const char *short_flag_of(const char *program)
{
	const char *base = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;

	for (size_t i = 0; i < sizeof(short_flags) / sizeof(short_flags[0]); i++)
		if (!strncmp(base, short_flags[i].program, strlen(short_flags[i].program)))
			return short_flags[i].flag;
	return NULL;
}

/* The whole argument is a value, or holds one behind a letter. */
static bool scan_whole(struct mask *mask)
{
	size_t flag_sz = mask->short_flag ? strlen(mask->short_flag) : 0;

	if (mask->next == KEY_SECRET && mask->arg[0] != '-') {
		mask->next = KEY_NONE;
		mask_to(mask, mask->sz);
		return true;
	}
	if (mask->next == KEY_SECRET || !flag_sz ||
	    strncmp(mask->arg, mask->short_flag, flag_sz) != 0)
		return false;
	copy_to(mask, flag_sz);
	mask->next = mask->sz == flag_sz ? KEY_SECRET : KEY_NONE;
	mask_to(mask, mask->sz);
	return true;
}

char *target_mask_cmdline(const char *args, size_t sz)
{
	struct mask mask = {0};
	char *masked = NULL;

	for (size_t off = 0; off < sz; off += mask.sz + 1) {
		mask.arg = args + off;
		mask.sz = strnlen(mask.arg, sz - off);
		mask.pos = 0;
		if (off)
			buf__puts(&mask.out, " ");
		if (!off)
			mask.short_flag = short_flag_of(mask.arg);
		if (!scan_whole(&mask))
			scan_arg(&mask);
	}
	if (!mask.out.err)
		masked = strdup(buf__str(&mask.out));
	buf__free(&mask.out);
	if (masked)
		target_clean(masked);
	return masked;
}
