/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows a function through the pieces of code that it is made of and that it ends in; see returns.h.
 * A compiler puts what is seldom run into a piece of its own, entered with the stack as it is there; a
 * call that is the last deed of a function is a jump, with the stack as it was at the entry. As in
 * exits.c one doubt is enough to give up.
 */
#include "target/returns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "target/fde.h"
#include "target/flow.h"

#define PIECES_MAX  16
#define ENTRIES_MAX 32 /* of one piece */
#define ROUNDS_MAX  64
#define CODE_MAX    (64 * 1024)
#define OPEN_SZ     (16 * 1024) /* of what nobody tells the size of */
#define BLOCK_MAX   16 /* instructions that are looked back at */

struct piece {
	struct elf_sym sym;
	uint8_t *code;
	struct flow_entry entries[ENTRIES_MAX];
	size_t entry_cnt;
	bool open; /* where it ends is not known: what cannot be decoded is behind it */
	bool changed; /* entered anew since it was followed */
};

struct search {
	struct returns *returns;
	struct elf_file *file;
	const struct imports *imports;
	struct piece *pieces;
	size_t cnt;
};

__attribute__((format(printf, 2, 3))) static void doubt(struct search *search, const char *fmt, ...)
{
	va_list ap;

	if (!search->returns->complete)
		return;
	search->returns->complete = false;
	va_start(ap, fmt);
	vsnprintf(search->returns->why, sizeof(search->returns->why), fmt, ap);
	va_end(ap);
}

static struct piece *piece_at(struct search *search, uint64_t vaddr)
{
	for (size_t i = 0; i < search->cnt; i++)
		if (vaddr - search->pieces[i].sym.vaddr < search->pieces[i].sym.sz)
			return &search->pieces[i];
	return NULL;
}

static int add_piece(struct search *search, const struct elf_sym *sym, bool is_open)
{
	struct piece *piece = &search->pieces[search->cnt];
	ssize_t len;

	if (search->cnt == PIECES_MAX || !sym->sz || sym->sz > CODE_MAX) {
		doubt(search, "too much code");
		return 0;
	}
	memset(piece, 0, sizeof(*piece));
	piece->sym = *sym;
	piece->sym.name = NULL;
	piece->open = is_open;
	piece->code = malloc(sym->sz);
	if (!piece->code)
		return -ENOMEM;
	search->cnt++;
	len = elf_file__read_code(search->file, sym->file_off, piece->code, sym->sz);
	if (is_open && len > 0)
		piece->sym.sz = (uint64_t)len;
	else if (len != (ssize_t)sym->sz)
		doubt(search, "its code cannot be read");
	return 0;
}

static bool is_name(const char *name, void *ctx)
{
	return !strcmp(name, ctx);
}

/* A function that is called by name and is in the same file. */
static int find_named(struct search *search, const char *name, struct elf_sym *found)
{
	struct elf_sym *syms;
	int cnt = elf_file__functions(search->file, is_name, (char *)name, &syms);

	if (cnt == -ENOMEM)
		return cnt;
	if (cnt > 0) {
		*found = syms[0];
		found->name = NULL;
	} else {
		doubt(search, "it goes on in %s of another file", name);
	}
	elf_syms__free(syms, cnt > 0 ? (size_t)cnt : 0);
	return cnt > 0;
}

/* Code is entered at an address; 0 or -errno. */
static int enter(struct search *search, uint64_t vaddr, uint64_t file_off, int32_t depth,
		 int32_t frame)
{
	struct piece *piece = piece_at(search, vaddr);
	struct flow_entry entry = {.depth = depth, .frame = frame};
	struct elf_sym sym;
	int err;

	if (!piece) {
		bool is_open = elf_file__piece_at(search->file, vaddr, &sym);

		if (is_open)
			sym = (struct elf_sym){
				.vaddr = vaddr,
				.file_off = file_off,
				.sz = OPEN_SZ,
			};
		err = add_piece(search, &sym, is_open);
		piece = piece_at(search, vaddr);
		if (err || !piece)
			return err;
	}
	entry.off = (uint32_t)(vaddr - piece->sym.vaddr);
	for (size_t i = 0; i < piece->entry_cnt; i++)
		if (!memcmp(&piece->entries[i], &entry, sizeof(entry)))
			return 0;
	if (piece->entry_cnt == ENTRIES_MAX) {
		doubt(search, "too many ways");
		return 0;
	}
	piece->entries[piece->entry_cnt++] = entry;
	piece->changed = true;
	return 0;
}

static bool enters_between(const struct flow *flow, uint32_t first, uint32_t last)
{
	for (size_t i = 0; i < flow->cnt; i++)
		if (flow_insn__branches(&flow->insns[i]) && flow->insns[i].target > first &&
		    flow->insns[i].target <= last)
			return true;
	return false;
}

/*
 * Does it jump to what takes a block and 0 when the block is in rax too, as calloc() does to memset()?
 * Then that is the result, and here is the place to see it: memset()'s returns are everybody's.
 */
static bool fills_result(const struct piece *piece, const struct flow *flow,
			 const struct flow_insn *jump)
{
	/* rdi is rax, rsi is 0, and stays so */
	bool has_block = false, has_zero = false;

	for (const struct flow_insn *at = jump - 1; at >= flow->insns && jump - at < BLOCK_MAX;
	     at--) {
		struct insn_effect effect;
		struct insn insn;
		uint16_t writes;

		if (at->kind != INSN_OTHER || insn__decode(&insn, piece->code + at->off, at->len))
			return false;
		insn__effect(&insn, &effect);
		if (!effect.known)
			return false;
		writes = effect.writes;
		if (!insn.map && insn.opcode == 0x89 && insn.rex == 0x48 && insn.modrm == 0xc7) {
			has_block = true; /* mov %rax, %rdi */
			writes = 0;
		} else if (!insn.map && insn.opcode == 0x31 && !insn.rex && insn.modrm == 0xf6) {
			has_zero = true; /* xor %esi, %esi */
			writes = 0;
		}
		if (has_block && has_zero)
			return !enters_between(flow, at->off, jump->off);
		if ((!has_block && writes & (1u << GPR_RAX | 1u << GPR_RDI)) ||
		    (!has_zero && writes & 1u << GPR_RSI))
			return false;
	}
	return false;
}

static int add_site(struct search *search, const struct piece *piece, const struct flow_insn *insn)
{
	struct returns *returns = search->returns;
	uint64_t vaddr = piece->sym.vaddr + insn->off;
	int err;

	for (size_t i = 0; i < returns->cnt; i++)
		if (returns->sites[i].vaddr == vaddr)
			return 0;
	err = array__reserve((void **)&returns->sites, &returns->cap, returns->cnt + 1,
			     sizeof(*returns->sites));
	if (err)
		return err;
	if (insn->probe == PROBE_REFUSED)
		doubt(search, "it returns where no probe may be");
	returns->sites[returns->cnt++] = (struct return_site){
		.vaddr = vaddr,
		.file_off = piece->sym.file_off + insn->off,
		.probe = insn->probe,
	};
	return 0;
}

/* It jumps to what has this name. */
static int enter_named(struct search *search, const struct piece *piece, const struct flow *flow,
		       const char *name, const struct flow_insn *from)
{
	struct elf_sym sym;
	int found;

	if (name && !from->depth && (!name[0] || !strcmp(name, "memset")) &&
	    fills_result(piece, flow, from))
		return add_site(search, piece, from);
	if (!name || !name[0] || from->depth) {
		doubt(search, "it goes on elsewhere");
		return 0;
	}
	found = find_named(search, name, &sym);
	if (found <= 0)
		return found;
	if (!piece_at(search, sym.vaddr)) {
		found = add_piece(search, &sym, false);
		if (found || !piece_at(search, sym.vaddr))
			return found;
	}
	return enter(search, sym.vaddr, sym.file_off, 0, FLOW_LOST);
}

static int follow_jump(struct search *search, const struct piece *piece, const struct flow *flow,
		       const struct flow_insn *insn)
{
	uint64_t vaddr = piece->sym.vaddr + (uint64_t)insn->target;
	uint64_t file_off = piece->sym.file_off + (uint64_t)insn->target;
	const char *name;

	if (insn->depth == FLOW_LOST) {
		doubt(search, "it goes on elsewhere with an unknown stack");
		return 0;
	}
	name = imports__of_stub(search->imports, search->file, vaddr, file_off);
	if (name)
		return enter_named(search, piece, flow, name, insn);
	return enter(search, vaddr, file_off, insn->depth, insn->frame);
}

static int look_at(struct search *search, const struct piece *piece, const struct flow *flow,
		   const struct flow_insn *insn)
{
	struct insn decoded;

	if (insn->depth == FLOW_UNREACHED)
		return 0;
	switch (insn->kind) {
	case INSN_RET:
		return add_site(search, piece, insn);
	case INSN_JUMP:
	case INSN_BRANCH:
		if (flow__at(flow, insn->target))
			return 0;
		if (insn->target >= 0 && insn->target < (int64_t)piece->sym.sz)
			doubt(search, "it jumps into an instruction");
		return follow_jump(search, piece, flow, insn);
	case INSN_JUMP_SLOT:
		if (insn__decode(&decoded, piece->code + insn->off, insn->len))
			return 0;
		return enter_named(search, piece, flow,
				   imports__of_insn(search->imports, &decoded,
						    piece->sym.vaddr + insn->off),
				   insn);
	case INSN_JUMP_BY:
		doubt(search, "where it jumps to is not known");
		return 0;
	default:
		return 0;
	}
}

/* What no known way leads to is where exceptions are caught, or what follows a table of jumps: from
 * there it may return as well. */
static void look_at_unreached(struct search *search, const struct flow *flow)
{
	for (size_t i = 0; i < flow->cnt; i++) {
		const struct flow_insn *insn = &flow->insns[i];

		if (insn->depth == FLOW_UNREACHED && insn->kind == INSN_RET)
			doubt(search, "nothing is known to lead to one of its returns");
	}
}

static int follow_piece(struct search *search, struct piece *piece)
{
	struct flow *flow =
		flow__new_at(piece->code, piece->sym.sz, piece->entries, piece->entry_cnt);
	int err = 0;

	piece->changed = false;
	if (!flow && errno == ENOMEM)
		return -ENOMEM;
	if (!flow || (!flow->whole && !piece->open)) {
		doubt(search, "unknown code");
		flow__free(flow);
		return 0;
	}
	if (piece->open && flow->insns[flow->cnt - 1].depth != FLOW_UNREACHED)
		doubt(search, "its end is not known");
	for (size_t i = 0; i < flow->cnt && !err && search->returns->complete; i++)
		err = look_at(search, piece, flow, &flow->insns[i]);
	/* a piece that is a part of others too is not all ours */
	if (!piece->open && (piece == search->pieces || !piece->entries[0].depth))
		look_at_unreached(search, flow);
	flow__free(flow);
	return err;
}

static int follow_all(struct search *search)
{
	int err = 0;

	for (int round = 0; !err && search->returns->complete; round++) {
		struct piece *next = NULL;

		for (size_t i = 0; i < search->cnt && !next; i++)
			next = search->pieces[i].changed ? &search->pieces[i] : NULL;
		if (!next)
			return 0;
		if (round == ROUNDS_MAX)
			doubt(search, "too many ways");
		else
			err = follow_piece(search, next);
	}
	return err;
}

int returns__find(struct returns *returns, struct elf_file *file, const struct imports *imports,
		  const struct elf_sym *sym)
{
	struct search search = {.returns = returns, .file = file, .imports = imports};
	int err;

	memset(returns, 0, sizeof(*returns));
	returns->complete = true;
	search.pieces = calloc(PIECES_MAX, sizeof(*search.pieces));
	if (!search.pieces)
		return -ENOMEM;
	err = add_piece(&search, sym, false);
	if (!err && search.cnt)
		err = enter(&search, sym->vaddr, sym->file_off, 0, FLOW_LOST);
	if (!err)
		err = follow_all(&search);
	if (!err && returns->complete && !returns->cnt)
		doubt(&search, "it does not return");
	for (size_t i = 0; i < search.cnt; i++)
		free(search.pieces[i].code);
	free(search.pieces);
	if (err)
		returns__free(returns);
	return err;
}

void returns__free(struct returns *returns)
{
	free(returns->sites);
	memset(returns, 0, sizeof(*returns));
}
