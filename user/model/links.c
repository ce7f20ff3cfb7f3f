/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections: records of single sockets become sums by task and peer. What is active at a time is
 * counted by the records' own times, because they arrive out of order. Called by the feed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "model/feed_state.h"

/* Changes of the last second wait here; no more than so many, whatever the records say. */
#define MAX_CHANGES 65536

static int count(struct model *model, const struct change *change)
{
	struct io_state *io = &model->feed->io;
	struct link *link = link_get(model, &change->owner, change->object);

	if (!link)
		return -ENOMEM;
	link->active += change->by;
	if (link->active > link->active_max)
		link->active_max = link->active;
	io->active += change->by;
	if (io->active > io->active_max)
		io->active_max = io->active;
	return 0;
}

static int count_first(struct model *model, size_t cnt)
{
	struct io_state *io = &model->feed->io;
	size_t first = io->change_first;
	int err = 0;

	for (; cnt && !err; cnt--)
		err = count(model, &io->changes[first++]);
	io->change_first = first;
	if (first * 2 < io->change_cnt)
		return err;
	io->change_cnt -= first;
	memmove(io->changes, io->changes + first, io->change_cnt * sizeof(*io->changes));
	io->change_first = 0;
	return err;
}

int changes__apply(struct model *model, uint64_t until_ns)
{
	const struct io_state *io = &model->feed->io;
	size_t end = io->change_first;

	while (end < io->change_cnt && io->changes[end].ns <= until_ns)
		end++;
	return end > io->change_first ? count_first(model, end - io->change_first) : 0;
}

static int change_add(struct model *model, const struct owner *owner, uint32_t object, uint64_t ns,
		      int by)
{
	struct change change = {.ns = ns, .owner = *owner, .object = object, .by = by};
	struct io_state *io = &model->feed->io;
	size_t at;
	int err;

	if (io->change_cnt - io->change_first >= MAX_CHANGES) {
		err = count_first(model, MAX_CHANGES / 2);
		if (err)
			return err;
	}
	if (array__reserve((void **)&io->changes, &io->change_cap, io->change_cnt + 1,
			   sizeof(change)))
		return -ENOMEM;
	for (at = io->change_cnt; at > io->change_first && io->changes[at - 1].ns > ns; at--)
		io->changes[at] = io->changes[at - 1];
	io->changes[at] = change;
	io->change_cnt++;
	return 0;
}

int active_add(struct model *model, struct ref *ref, uint64_t ns)
{
	struct owner nobody = {0, NO_IDX};

	if (!link_get(model, &ref->owner, ref->object))
		return -ENOMEM;
	ref->is_others = !link_find(model, &ref->owner, ref->object);
	if (!ref->is_others)
		return change_add(model, &ref->owner, ref->object, ns, 1);
	return change_add(model, &nobody, object_others(model, model->objects[ref->object].kind),
			  ns, 1);
}

int active_drop(struct model *model, const struct ref *ref, const struct owner *owner,
		uint32_t object, uint64_t ns)
{
	struct owner nobody = {0, NO_IDX};

	if (!ref->is_others)
		return change_add(model, owner, object, ns, -1);
	return change_add(model, &nobody, object_others(model, model->objects[object].kind), ns,
			  -1);
}

/* From here on the connection counts as active. */
static int begin(struct model *model, struct ref *ref, uint64_t ns)
{
	bool is_over = ref->is_closed && ref->closed_ns >= ns; /* its end came first */
	struct link *link;
	int err;

	if (ref->is_begun && (!ref->is_closed || is_over))
		return 0;
	if (ref->is_closed && !is_over) {
		/* the same socket connects once more */
		ref->is_closed = false;
		ref->is_told = false;
	}
	ref->is_begun = true;
	if (is_over && ref->is_quiet) {
		link = link_get(model, &ref->owner, ref->object);
		if (!link)
			return -ENOMEM;
		link->closed++;
	}
	ref->is_quiet = false;
	err = active_add(model, ref, ns);
	if (!err && is_over)
		err = active_drop(model, ref, &ref->owner, ref->object, ref->closed_ns);
	return err;
}

static int end(struct model *model, struct ref *ref, uint64_t ns)
{
	if (ref->is_closed)
		return 0;
	ref->is_closed = true;
	ref->closed_ns = ns;
	return ref->is_begun ? active_drop(model, ref, &ref->owner, ref->object, ns) : 0;
}

static struct tcp_numbers numbers_of(const struct event *event)
{
	const struct wire_conn *conn = &event->conn;

	return (struct tcp_numbers){
		.ns = event->ns,
		.bytes_acked = conn->bytes_acked,
		.bytes_received = conn->bytes_received,
		.srtt_us = conn->srtt_us,
		.rttvar_us = conn->rttvar_us,
		.min_rtt_us = conn->min_rtt_us,
		.cwnd = conn->cwnd,
		.mss = conn->mss,
		.segs_out = conn->segs_out,
		.segs_in = conn->segs_in,
		.retransmits = conn->retransmits,
		.rest_out = conn->rest_out,
		.rest_in = conn->rest_in,
		.rest_retransmits = conn->rest_retransmits,
	};
}

/* The counters of a connection's owner, for what no slice was charged with; NULL: it is nobody's. */
static int64_t *counters_of(struct model *model, const struct owner *owner)
{
	struct task *task = owner->task ? model__task(model, owner->task) : NULL;

	if (task)
		return task->c;
	return owner->class_idx != NO_IDX ? model->classes[owner->class_idx].folded_c : NULL;
}

/* Segments that came or went while no slice was looking: acknowledgements of the kernel, say. */
static void charge_rest(struct model *model, const struct owner *owner,
			const struct tcp_numbers *tcp)
{
	int64_t *c = counters_of(model, owner);

	if (!c)
		return;
	c[COUNTER_NET_PACKETS_SENT] = add_ns(c[COUNTER_NET_PACKETS_SENT], tcp->rest_out);
	c[COUNTER_NET_PACKETS_RECEIVED] = add_ns(c[COUNTER_NET_PACKETS_RECEIVED], tcp->rest_in);
	c[COUNTER_NET_RETRANSMITS] = add_ns(c[COUNTER_NET_RETRANSMITS], tcp->rest_retransmits);
}

/* A connection that could not be made, whether its call waited for that or not. */
static void charge_failed(struct model *model, const struct owner *owner)
{
	int64_t *c = counters_of(model, owner);

	if (c)
		c[COUNTER_NET_ERRORS] = add_ns(c[COUNTER_NET_ERRORS], 1);
}

static void add_tcp(struct link *link, const struct tcp_numbers *tcp)
{
	link->tcp_cnt++;
	link->segs_out += tcp->segs_out;
	link->segs_in += tcp->segs_in;
	link->retransmits += tcp->retransmits;
	link->bytes_acked += tcp->bytes_acked;
	link->bytes_received += tcp->bytes_received;
	if (tcp->min_rtt_us != UINT32_MAX && tcp->min_rtt_us &&
	    (!link->path_rtt_us || tcp->min_rtt_us < link->path_rtt_us))
		link->path_rtt_us = tcp->min_rtt_us;
	if (tcp->mss > link->mss)
		link->mss = tcp->mss;
	if (!tcp->srtt_us)
		return;
	link->rtt_cnt++;
	link->rtt_sum_us += tcp->srtt_us;
	link->rttvar_sum_us += tcp->rttvar_us;
	link->cwnd_sum += tcp->cwnd;
	if (!link->rtt_min_us || tcp->srtt_us < link->rtt_min_us)
		link->rtt_min_us = tcp->srtt_us;
	if (tcp->srtt_us > link->rtt_max_us)
		link->rtt_max_us = tcp->srtt_us;
}

/* The newest numbers are kept until the connection's last record, which may lack them. */
static int keep_tcp(struct io_state *io, struct ref *ref, const struct event *event)
{
	if (!(event->conn.flags & CONN_HAS_TCP) || ref->is_told ||
	    (ref->tcp && ref->tcp->ns > event->ns))
		return 0;
	if (!ref->tcp) {
		ref->tcp = malloc(sizeof(*ref->tcp));
		if (!ref->tcp)
			return -ENOMEM;
		io->bytes += sizeof(*ref->tcp);
	}
	*ref->tcp = numbers_of(event);
	return 0;
}

/* A record about a socket that there was no room to know. */
static int take_unknown(struct model *model, const struct event *event)
{
	const struct wire_conn *conn = &event->conn;
	struct tcp_numbers tcp = numbers_of(event);
	struct object_desc desc;
	struct owner owner;
	struct link *link;
	uint32_t object;
	int err = owner_of(model, conn->task, event->tgid, &owner);

	if (err)
		return err;
	object_desc__conn(&desc, conn);
	object = object_get(model, &desc, event->ns);
	link = object == NO_IDX ? NULL : link_get(model, &owner, object);
	if (!link)
		return -ENOMEM;
	link->met += conn->event == CONN_SEEN;
	link->opened += conn->event == CONN_OPENED;
	link->failed += conn->event == CONN_FAILED;
	if (conn->event == CONN_FAILED)
		charge_failed(model, &owner);
	link->closed += conn->event == CONN_CLOSED && conn->flags & CONN_IS_ACTIVE;
	if (conn->flags & CONN_HAS_TCP &&
	    (conn->event == CONN_CLOSED || conn->event == CONN_LAST)) {
		add_tcp(link, &tcp);
		charge_rest(model, &owner, &tcp);
	}
	return 0;
}

/* What each event does. Links move when one is made: begin() and end() come last. */
static int on_seen(struct model *model, struct ref *ref, struct link *link,
		   const struct event *event)
{
	/* told once more when it is known whose it is */
	link->met += !ref->is_met;
	ref->is_met = true;
	return event->conn.flags & CONN_IS_ACTIVE ? begin(model, ref, event->ns) : 0;
}

static int on_opened(struct model *model, struct ref *ref, struct link *link,
		     const struct event *event)
{
	link->opened++;
	return begin(model, ref, event->ns);
}

static int on_failed(struct model *model, struct ref *ref, struct link *link,
		     const struct event *event)
{
	link->failed++;
	if (event->ns > ref->failed_ns)
		ref->failed_ns = event->ns;
	charge_failed(model, &ref->owner);
	return 0;
}

/* The numbers go to the link, once. */
static void tell(struct model *model, struct ref *ref, struct link *link)
{
	if (!ref->tcp)
		return;
	ref->is_told = true;
	add_tcp(link, ref->tcp);
	charge_rest(model, &ref->owner, ref->tcp);
	model->feed->io.bytes -= sizeof(*ref->tcp);
	free(ref->tcp);
	ref->tcp = NULL;
}

static int on_closed(struct model *model, struct ref *ref, struct link *link,
		     const struct event *event)
{
	/* every socket is told to have ended, a connection or not */
	if (ref->is_begun || event->conn.flags & CONN_IS_ACTIVE)
		link->closed++;
	else
		ref->is_quiet = true;
	tell(model, ref, link);
	return end(model, ref, event->ns);
}

static int on_last(struct model *model, struct ref *ref, struct link *link,
		   const struct event *event)
{
	tell(model, ref, link);
	ref->is_last = true;
	model->feed->io.has_last = true;
	return event->conn.flags & CONN_IS_ACTIVE ? begin(model, ref, event->ns) : 0;
}

static int (*const handlers[CONN_EVENT_CNT])(struct model *model, struct ref *ref,
					     struct link *link, const struct event *event) = {
	[CONN_SEEN] = on_seen,     [CONN_OPENED] = on_opened, [CONN_FAILED] = on_failed,
	[CONN_CLOSED] = on_closed, [CONN_LAST] = on_last,
};

void feed__sockets_told(struct model *model)
{
	if (model->feed)
		model->feed->io.has_last = true;
}

/* What nobody has a descriptor of when the recording ends is about to close, or it ended in a way that
 * is not heard of: no TCP, and not by close(). */
int links__end(struct model *model, uint64_t ns)
{
	struct io_state *io = &model->feed->io;
	int err = 0;

	for (size_t i = 0; io->has_last && i < io->ref_cnt && !err; i++) {
		struct ref *ref = &io->refs[i];
		struct link *link;

		if (!ref->is_begun || ref->is_closed || ref->is_last)
			continue;
		link = link_get(model, &ref->owner, ref->object);
		if (!link)
			return -ENOMEM;
		link->closed++;
		err = end(model, ref, ns);
	}
	return err;
}

static int move_met(struct model *model, const struct owner *from, const struct owner *to,
		    uint32_t object)
{
	struct link *link = link_find(model, from, object);

	/* when there was no room for the row it was counted elsewhere, and stays there */
	if (!link || !link->met)
		return 0;
	link->met--;
	link = link_get(model, to, object);
	if (!link)
		return -ENOMEM;
	link->met++;
	return 0;
}

/* Whose it is stays as the first record that knows says; until then it is nobody's. */
static int set_owner(struct model *model, struct ref *ref, const struct event *event)
{
	struct owner before = ref->owner;
	int err;

	if (before.task || before.class_idx != NO_IDX || !event->conn.task)
		return 0;
	err = owner_of(model, event->conn.task, event->tgid, &ref->owner);
	if (!err && ref->is_met && !ref->was_owned)
		err = move_met(model, &before, &ref->owner, ref->object);
	if (err || !ref->is_begun || ref->is_closed)
		return err;
	err = active_drop(model, ref, &before, ref->object, event->ns);
	return err ? err : active_add(model, ref, event->ns);
}

int io__conn(struct model *model, const struct event *event)
{
	struct object_desc desc;
	struct link *link;
	struct ref *ref;
	int err = ref_get(model, event->conn.id, event->ns, &ref);

	model->feed->io.has_conns = true;
	if (err)
		return err;
	if (!ref)
		return take_unknown(model, event);
	err = set_owner(model, ref, event);
	if (err)
		return err;
	object_desc__conn(&desc, &event->conn);
	err = ref_name(model, ref, &desc, event->ns);
	if (!err)
		err = keep_tcp(&model->feed->io, ref, event);
	if (err)
		return err;
	link = link_get(model, &ref->owner, ref->object);
	return link ? handlers[event->conn.event](model, ref, link, event) : -ENOMEM;
}
