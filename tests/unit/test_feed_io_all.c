/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The feed's IO side as a whole: a random recording whose true sums are computed here, fed in many
 * orders, with tasks that fold, and with more of everything than there is room for.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "io_feed.h"
#include "model/feed_state.h"
#include "tap.h"

#define TASKS   8
#define FILES   40
#define PATHS   12
#define CONNS   600
#define PEERS   10
#define OBJECTS (PATHS + PEERS)
#define DRAINS  20
#define LEN_NS  (DRAINS * 1000 * MS)
#define FILE_ID 1000
#define CONN_ID 100000

static unsigned int seed;

static uint64_t upto(uint64_t max)
{
	return ((uint64_t)rand_r(&seed) << 20 ^ (uint64_t)rand_r(&seed)) % (max + 1);
}

static uint64_t task_id(size_t task)
{
	return (100 + task) << 32;
}

static const char *object_name(size_t object)
{
	static char name[32];

	if (object < PATHS)
		snprintf(name, sizeof(name), "/data/%d", (int)object);
	else
		snprintf(name, sizeof(name), "10.0.0.%d:80", (int)(object - PATHS + 1));
	return name;
}

/* What happens */

struct conn {
	uint64_t opened_ns, closed_ns; /* 0: it lasts */
	size_t task, peer;
	bool was_there;
	uint32_t segs;
};

struct item {
	uint64_t ns, key;
	enum { ITEM_FILE, ITEM_OPEN, ITEM_CLOSE, ITEM_LAST, ITEM_USE } kind;
	uint32_t idx; /* file, connection or use */
};

struct used {
	size_t task, object;
	uint64_t id;
	enum wire_io_op op;
	struct wire_use_val val;
};

static struct conn conns[CONNS];
static struct used used[20000];
static struct item items[40000];
static size_t used_cnt, item_cnt;

/* What must come out: sums by task, object and operation. */
static struct wire_use_val truth[TASKS][OBJECTS][IO_OP_CNT];

static void add_item(int kind, uint64_t ns, size_t idx)
{
	items[item_cnt++] = (struct item){.ns = ns, .kind = kind, .idx = (uint32_t)idx};
}

static void add_used(uint64_t ns, size_t task, size_t object, uint64_t id, enum wire_io_op op)
{
	struct used *use = &used[used_cnt];
	struct wire_use_val *sum = &truth[task][object][op];
	struct wire_use drained = {};

	*use = (struct used){.task = task, .object = object, .id = id, .op = op};
	for (uint64_t i = 1 + upto(5); i; i--)
		use_ns(&drained, upto(1ULL << upto(36)));
	drained.val.cnt = upto(1000);
	drained.val.bytes = upto(1 << 20);
	drained.val.errors = upto(2);
	drained.val.again = upto(2);
	use->val = drained.val;
	sum->cnt += drained.val.cnt;
	sum->bytes += drained.val.bytes;
	sum->errors += drained.val.errors;
	sum->again += drained.val.again;
	sum->ns += drained.val.ns;
	if (drained.val.max_ns > sum->max_ns)
		sum->max_ns = drained.val.max_ns;
	for (int i = 0; i < IO_BUCKETS; i++)
		sum->latency[0] += drained.val.latency[i]; /* only their number */
	add_item(ITEM_USE, ns, used_cnt++);
}

static void make_conns(void)
{
	for (size_t i = 0; i < CONNS; i++) {
		struct conn *conn = &conns[i];

		*conn = (struct conn){.task = upto(TASKS - 1),
				      .peer = upto(PEERS - 1),
				      .was_there = i < 50,
				      .opened_ns = START_NS + 1,
				      .segs = (uint32_t)upto(1000)};
		/* never two at one time: then their order would be open */
		if (!conn->was_there)
			conn->opened_ns += upto(LEN_NS / CONNS / 4) * CONNS * 2 + i;
		add_item(ITEM_OPEN, conn->opened_ns, i);
		if (upto(9)) {
			conn->closed_ns =
				START_NS + CONNS + i + CONNS * 2 * (1 + upto(LEN_NS / CONNS / 2));
			if (conn->closed_ns <= conn->opened_ns)
				conn->closed_ns += (conn->opened_ns - conn->closed_ns) / CONNS / 2 *
							   CONNS * 2 +
						   CONNS * 2;
			add_item(ITEM_CLOSE, conn->closed_ns, i);
		} else {
			add_item(ITEM_LAST, START_NS + 2 * LEN_NS, i);
		}
	}
}

static void make_recording(unsigned int with_seed)
{
	seed = with_seed;
	item_cnt = used_cnt = 0;
	memset(truth, 0, sizeof(truth));
	for (size_t i = 0; i < FILES; i++)
		add_item(ITEM_FILE, START_NS + upto(LEN_NS), i);
	make_conns();
	for (uint64_t drain = 1; drain <= DRAINS; drain++) {
		uint64_t ns = START_NS + drain * 1000 * MS;

		for (int i = 0; i < 300; i++) {
			size_t file = upto(FILES - 1);

			add_used(ns, upto(TASKS - 1), file % PATHS, FILE_ID + file,
				 upto(1) ? IO_READ : IO_SYNC);
		}
		for (size_t i = 0; i < CONNS; i++) {
			if (conns[i].opened_ns < ns &&
			    (!conns[i].closed_ns || conns[i].closed_ns > ns - 1000 * MS) &&
			    !upto(9))
				add_used(ns, conns[i].task, PATHS + conns[i].peer, CONN_ID + i,
					 upto(1) ? IO_WRITE : IO_RESPONSE);
		}
	}
}

static void feed_conn(struct model *model, const struct item *item)
{
	static const enum wire_conn_event events[] = {
		[ITEM_OPEN] = CONN_OPENED, [ITEM_CLOSE] = CONN_CLOSED, [ITEM_LAST] = CONN_LAST};
	const struct conn *conn = &conns[item->idx];
	struct wire_conn *wire =
		make_conn(item->ns, CONN_ID + item->idx, task_id(conn->task), events[item->kind]);

	wire->role = ROLE_CLIENT;
	set_ends(wire, 200, (uint16_t)(20000 + item->idx), (uint8_t)(conn->peer + 1), 80);
	wire->flags = CONN_IS_ACTIVE | CONN_HAS_TCP;
	if (item->kind == ITEM_OPEN && conn->was_there)
		wire->event = CONN_SEEN;
	wire->segs_out = item->kind == ITEM_OPEN ? 1 : conn->segs;
	wire->srtt_us = conn->segs;
	wire->rest_out = item->kind == ITEM_OPEN ? 0 : 2;
	feed_now(model);
}

static void feed_item(struct model *model, const struct item *item)
{
	const struct used *use = &used[item->idx];
	char path[32];

	switch (item->kind) {
	case ITEM_FILE:
		snprintf(path, sizeof(path), "/data/%d", (int)(item->idx % PATHS));
		feed_file(model, item->ns, FILE_ID + item->idx, S_IFREG, path);
		break;
	case ITEM_USE:
		make_use(item->ns, task_id(use->task), use->id, use->op)->val = use->val;
		feed_now(model);
		break;
	default:
		feed_conn(model, item);
	}
}

static int compare(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	return left->key < right->key ? -1 : left->key > right->key;
}

/* Every record comes up to so much late; or all of them in reverse. */
static void order(uint64_t jitter_ns, bool reverse)
{
	for (size_t i = 0; i < item_cnt; i++) {
		items[i].key = items[i].ns + upto(jitter_ns);
		if (reverse)
			items[i].key = UINT64_MAX - items[i].key;
	}
	qsort(items, item_cnt, sizeof(*items), compare);
}

static struct model *feed_all(uint64_t max_memory)
{
	struct model *model = io_start(max_memory);

	for (size_t i = 0; i < item_cnt; i++)
		feed_item(model, &items[i]);
	feed__finish(model, (int64_t)LEN_NS);
	return model;
}

/* What must come out */

static size_t wrong_uses(const struct model *model)
{
	size_t wrong = 0, rows = 0;

	for (size_t i = 0; i < TASKS * OBJECTS * IO_OP_CNT; i++) {
		size_t task = i / (OBJECTS * IO_OP_CNT), object = i / IO_OP_CNT % OBJECTS;
		const struct wire_use_val *want = &truth[task][object][i % IO_OP_CNT];
		const struct use *use =
			use_of(model, task_id(task), object_name(object), i % IO_OP_CNT);

		rows += want->latency[0] != 0;
		if (!use)
			wrong += want->latency[0] != 0;
		else
			wrong += use->cnt != want->cnt || use->bytes != want->bytes ||
				 use->errors != want->errors || use->again != want->again ||
				 use->latency.total != want->ns ||
				 use->latency.max != want->max_ns ||
				 use->latency.cnt != want->latency[0];
	}
	return wrong + (model->use_cnt != rows);
}

/* How many are open at a time, of one owner and peer or (SIZE_MAX) of all. */
static int64_t open_at(uint64_t ns, size_t task, size_t peer)
{
	int64_t cnt = 0;

	for (size_t i = 0; i < CONNS; i++)
		cnt += (task == SIZE_MAX || (conns[i].task == task && conns[i].peer == peer)) &&
		       conns[i].opened_ns <= ns && (!conns[i].closed_ns || conns[i].closed_ns > ns);
	return cnt;
}

static int64_t most_open(size_t task, size_t peer)
{
	int64_t most = 0, cnt;

	for (size_t i = 0; i < CONNS; i++) {
		if (task != SIZE_MAX && (conns[i].task != task || conns[i].peer != peer))
			continue;
		cnt = open_at(conns[i].opened_ns, task, peer);
		most = cnt > most ? cnt : most;
	}
	return most;
}

static bool wrong_link(const struct model *model, size_t task, size_t peer, bool ordered)
{
	struct link want = {};
	const struct link *link = link_of(model, task_id(task), object_name(PATHS + peer));

	for (size_t i = 0; i < CONNS; i++) {
		if (conns[i].task != task || conns[i].peer != peer)
			continue;
		want.met += conns[i].was_there;
		want.opened += !conns[i].was_there;
		want.closed += conns[i].closed_ns != 0;
		want.tcp_cnt++;
		want.segs_out += conns[i].segs;
		want.rtt_cnt += conns[i].segs != 0;
	}
	if (!link)
		return want.tcp_cnt != 0;
	if (ordered && link->active_max != most_open(task, peer))
		return true;
	return link->met != want.met || link->opened != want.opened ||
	       link->closed != want.closed || link->tcp_cnt != want.tcp_cnt ||
	       link->segs_out != want.segs_out || link->rtt_cnt != want.rtt_cnt ||
	       link->active != open_at(UINT64_MAX, task, peer);
}

static void check(const char *how, bool ordered)
{
	struct model *model = feed_all(0);
	size_t wrong = 0, rest = 0;

	ok(!wrong_uses(model), "%s: every use is as it was", how);
	for (size_t i = 0; i < TASKS * PEERS; i++)
		wrong += wrong_link(model, i / PEERS, i % PEERS, ordered);
	ok(!wrong && model->link_cnt <= TASKS * PEERS, "%s: every link (%zu wrong)", how, wrong);
	ok(model->object_cnt == OBJECTS, "%s: one object for each path and peer", how);
	ok(model->meta.connections_active == open_at(UINT64_MAX, SIZE_MAX, 0) &&
		   (!ordered || model->meta.connections_max == most_open(SIZE_MAX, 0)),
	   "%s: connections at the end, and at most: %d, %d", how,
	   (int)model->meta.connections_active, (int)model->meta.connections_max);
	for (size_t i = 0; i < model->task_cnt; i++)
		rest += (size_t)model->tasks[i].c[COUNTER_NET_PACKETS_SENT];
	ok(rest == 2 * CONNS, "%s: packets that no slice was charged for", how);
	model__free(model);
}

static void test_orders(unsigned int with_seed)
{
	note("recording %u", with_seed);
	make_recording(with_seed);
	order(0, false);
	check("in order", true);
	order(900 * MS, false);
	check("shuffled within 0.9 s", true);
	order(0, true);
	check("reversed", false);
	order(UINT64_MAX / 4, false);
	check("in any order", false);
}

/* Folding */

struct sums {
	uint64_t cnt, bytes, latency_cnt, latency_ns, opened, closed, segs, tcp;
	int64_t active;
};

/* All numbers of TCP, each with a weight of its own. */
static uint64_t add_fields(const struct link *link)
{
	return link->tcp_cnt + 10 * link->segs_out + 100 * link->segs_in +
	       1000 * link->retransmits + 10000 * link->bytes_acked +
	       100000 * link->bytes_received + 1000000 * link->rtt_sum_us +
	       10000000 * link->rttvar_sum_us + 100000000 * link->cwnd_sum +
	       1000000000 * link->rtt_cnt;
}

static struct sums sum_model(const struct model *model)
{
	struct sums sums = {};

	for (size_t i = 0; i < model->use_cnt; i++) {
		sums.cnt += model->uses[i].cnt;
		sums.bytes += model->uses[i].bytes;
		sums.latency_cnt += model->uses[i].latency.cnt;
		sums.latency_ns += model->uses[i].latency.total;
	}
	for (size_t i = 0; i < model->link_cnt; i++) {
		sums.opened += model->links[i].opened;
		sums.closed += model->links[i].closed;
		sums.active += model->links[i].active;
		sums.segs += model->links[i].segs_out;
		sums.tcp += add_fields(&model->links[i]);
	}
	return sums;
}

/* Is every reference of a row to something that is there? */
static bool is_whole(const struct model *model)
{
	bool good = true;

	for (size_t i = 0; i < model->use_cnt; i++) {
		const struct use *use = &model->uses[i];

		good &= use->object < model->object_cnt && use->op < IO_OP_CNT;
		good &= use->task ? use->class_idx == NO_IDX && model__task(model, use->task)
				  : use->class_idx == NO_IDX || use->class_idx < model->class_cnt;
	}
	for (size_t i = 0; i < model->link_cnt; i++) {
		const struct link *link = &model->links[i];

		good &= link->object < model->object_cnt;
		good &= link->task
				? link->class_idx == NO_IDX && model__task(model, link->task)
				: link->class_idx == NO_IDX || link->class_idx < model->class_cnt;
	}
	return good;
}

/* The end of connection `i`. */
static void tcp_closed(struct model *model, uint64_t ns, uint64_t id, uint64_t task, uint64_t i)
{
	struct wire_conn *conn = make_conn(ns, id, task, CONN_CLOSED);

	conn->flags = CONN_HAS_TCP;
	set_ends(conn, 1, 40000, 7, 80);
	conn->segs_out = 10;
	conn->segs_in = conn->retransmits = 1;
	conn->bytes_acked = conn->bytes_received = 1;
	conn->srtt_us = 600;
	conn->rttvar_us = conn->cwnd = 1;
	conn->min_rtt_us = 150;
	conn->mss = 1400;
	conn->rest_out = 1;
	/* one is better, one is worse than all others */
	if (i == 20 || i == 30) {
		conn->srtt_us = i == 20 ? 200 : 1000;
		conn->min_rtt_us = i == 20 ? 100 : 900;
		conn->mss = 1460;
	}
	feed_now(model);
}

/*
 * Many short tasks, each with a file, a connection that it opens, and one that it opens for others:
 * that one is closed when the task was folded long ago.
 */
static void test_fold(void)
{
	const uint64_t cnt = 4000, lag = 1500;
	struct model *model = io_start(4 << 20);
	const struct task_class *class;
	struct sums sums;
	const struct use *uses;
	uint64_t folded = 0, ns = START_NS;
	size_t use_cnt, open = 0, extremes = 0, rows = 0, with_folded = 0;

	feed_file(model, START_NS, 1, S_IFREG, "/shared");
	for (uint64_t i = 0; i < cnt + lag; i++) {
		uint64_t id = 1000 + i * 3, task = (1000 + i) << 32;

		ns = START_NS + i * 10 * MS;
		if (i >= lag) {
			tcp_closed(model, ns, id - lag * 3 + 1, task, cnt);
		}
		if (i < cnt) {
			feed_spawn(model, ns, task);
			feed_client(model, ns, id, task, CONN_OPENED);
			feed_client(model, ns, id + 1, task, CONN_OPENED);
			feed_use(model, ns, task, 1, IO_WRITE, 7);
			feed_use(model, ns, task, id, IO_WRITE, 5);
			tcp_closed(model, ns, id, task, i);
			feed_end(model, ns, task);
		}
		feed__uses_taken(model, ns);
	}
	ok(model->meta.tasks_folded > (int64_t)cnt / 2, "%d tasks were folded",
	   (int)model->meta.tasks_folded);
	ok(model->feed->io.use_idx.cnt == model->use_cnt &&
		   model->feed->io.link_idx.cnt == model->link_cnt,
	   "indices hold what is there");
	feed__finish(model, (int64_t)(ns - START_NS));
	ok(is_whole(model), "every row is of something that is there");
	sums = sum_model(model);
	ok(sums.bytes == 12 * cnt && sums.cnt == 2 * cnt && sums.latency_cnt == 2 * cnt &&
		   sums.latency_ns == 2000 * cnt,
	   "uses: sums are whole");
	ok(sums.opened == 2 * cnt && sums.closed == 2 * cnt && sums.active == 0 &&
		   sums.segs == 20 * cnt && model->meta.connections_active == 0,
	   "links: sums are whole, and nothing stays open");
	ok(sums.tcp == 2 * cnt * (1 + 10 * 10 + 111100 + 1110000000 + 1000000ULL * 600),
	   "each number of TCP, too");
	for (size_t i = 0; i < model->link_cnt; i++)
		open += model->links[i].active != 0;
	for (size_t i = 0; i < model->link_cnt; i++)
		extremes += !model->links[i].task && model->links[i].rtt_min_us == 200 &&
			    model->links[i].rtt_max_us == 1000 &&
			    model->links[i].path_rtt_us == 100 && model->links[i].mss == 1460;
	ok(extremes == 1, "and the extremes");
	ok(!open, "no link keeps open what its task did not close");
	for (size_t i = 0; i < model->class_cnt; i++) {
		class = &model->classes[i];
		uses = model__uses(model, 0, (uint32_t)i, &use_cnt);
		for (size_t k = 0; k < use_cnt; k++)
			folded += uses[k].cnt;
		rows += use_cnt;
		with_folded += class->folded_cnt > 0;
	}
	ok(with_folded == 1 && rows == 2, "a class has what its folded tasks had, in two rows");
	ok((int64_t)folded == 2 * model->meta.tasks_folded, "all of it (%d)", (int)folded);
	folded = 0;
	for (size_t i = 0; i < model->task_cnt; i++)
		folded += (uint64_t)model->tasks[i].c[COUNTER_NET_PACKETS_SENT];
	for (size_t i = 0; i < model->class_cnt; i++)
		folded += (uint64_t)model->classes[i].folded_c[COUNTER_NET_PACKETS_SENT];
	ok(folded == 2 * cnt, "packets of connections that outlive their task go to its class");
	ok(model__losses(model) == 0, "nothing was lost");
	model__free(model);
}

/* Rows have a share of memory. Beyond it tasks fold, but not before it is told what they used. */
static void test_late_uses(void)
{
	struct model *model = io_start(4 << 20);
	const uint64_t cnt = 6000, lag = 2000;
	uint64_t uses = 0;

	for (uint64_t i = 1; i < cnt; i++) {
		uint64_t ns = START_NS + i * 10 * MS;

		feed_spawn(model, ns, i << 32);
		feed_client(model, ns, i, i << 32, CONN_OPENED);
		feed_end(model, ns, i << 32);
		if (i <= lag)
			continue;
		feed_use(model, ns, (i - lag) << 32, i - lag, IO_READ, 1);
		feed__uses_taken(model, ns - lag * 10 * MS);
	}
	feed__finish(model, (int64_t)LEN_NS);
	for (size_t i = 0; i < model->use_cnt; i++)
		uses += model->uses[i].class_idx == NO_IDX ? model->uses[i].task != 0
							   : model->uses[i].cnt;
	ok(model->meta.tasks_folded > 500 && uses == cnt - 1 - lag &&
		   !counter_val(model, "records_after_fold"),
	   "uses that are told late find their task, although %d are folded meanwhile",
	   (int)model->meta.tasks_folded);
	model__free(model);
}

/* Uses that come when their task was folded: to its class. */
static void test_late(bool with_use)
{
	struct model *model = io_start(1 << 20);
	const struct use *uses;
	size_t cnt, rows = 0;
	bool good = false;

	for (uint64_t i = 1; i < 3000; i++) {
		feed_spawn(model, START_NS + i * 10 * MS, i << 32);
		feed_end(model, START_NS + i * 10 * MS, i << 32);
	}
	ok(!model__task(model, 1ULL << 32), "the first task was folded");
	if (with_use)
		feed_use(model, START_NS, 1ULL << 32, 5, IO_READ, 9);
	feed_client(model, START_NS, 6, 1ULL << 32, CONN_OPENED);
	feed__finish(model, (int64_t)LEN_NS);
	ok(is_whole(model), "every row is of something that is there");
	for (uint32_t i = 0; i < model->class_cnt; i++) {
		const char *name = model__str(model, model->classes[i].name);

		if (strcmp(name, "worker"))
			continue;
		uses = model__uses(model, 0, i, &cnt);
		rows += cnt;
		good = (uses != NULL) == with_use && (!uses || uses->bytes == 9) &&
		       model__links(model, 0, i, &cnt) && cnt == 1;
	}
	ok(good && rows == with_use && model->use_cnt == rows && model->link_cnt == 1,
	   "what comes after that is of its class");
	model__free(model);
}

/* Limits */

/* A target that wants to exhaust memory: files, peers and sockets without end. */
static void test_hostile(bool tell_taken)
{
	const uint64_t cnt = 100000, limit = 16 << 20;
	struct model *model = io_start(limit);
	uint64_t worst = 0, bytes = 0;
	struct sums sums;
	size_t others;
	char path[4000];

	for (uint64_t i = 0; i < cnt; i++) {
		uint64_t ns = START_NS + i * MS;

		memset(path, 'x', 300);
		snprintf(path, sizeof(path), "/%0*d", (int)(i % 300 + 1), (int)i);
		feed_file(model, ns, 10 + 2 * i, S_IFREG, path);
		make_conn(ns, 11 + 2 * i, 5ULL << 32, CONN_OPENED);
		set_ends(&io_event.conn, 1, 40000, (uint8_t)i, (uint16_t)(i >> 8));
		feed_now(model);
		feed_use(model, ns, (5 + i % 1000) << 32, 10 + 2 * i, IO_WRITE, 3);
		feed_use(model, ns, (5 + i % 1000) << 32, 11 + 2 * i, IO_WRITE, 4);
		io_event.kind = WIRE_CONN;
		make_conn(ns, 11 + 2 * i, 5ULL << 32, CONN_CLOSED);
		set_ends(&io_event.conn, 1, 40000, (uint8_t)i, (uint16_t)(i >> 8));
		feed_now(model);
		if (tell_taken)
			feed__uses_taken(model, ns);
		worst = feed__memory(model) > worst ? feed__memory(model) : worst;
	}
	ok(worst < limit + limit / 4, "%d MB for a limit of %d MB", (int)(worst >> 20),
	   (int)(limit >> 20));
	feed__finish(model, (int64_t)LEN_NS);
	sums = sum_model(model);
	for (size_t i = 0; i < model->use_cnt; i++)
		bytes += model->uses[i].bytes;
	ok(sums.cnt == 2 * cnt && bytes == 7 * cnt && sums.opened == cnt && sums.closed == cnt,
	   "nothing is lost of the sums");
	object_named(model, "(others)", &others);
	ok(others >= 2 && others <= OBJECT_KIND_CNT && is_whole(model),
	   "what there is no room for is (others), of %d kinds", (int)others);
	ok(counter_val(model, "objects_folded") > cnt / 2 && model__losses(model) > 0,
	   "which is a loss, and counted");
	model__free(model);
}

static void test_uses_limit(void)
{
	const uint64_t tasks = 4000, files = 50, limit = 16 << 20;
	struct model *model = io_start(limit);
	uint64_t worst = 0;
	struct sums sums;
	size_t cnt;
	char path[32];

	for (uint64_t i = 0; i < files; i++) {
		snprintf(path, sizeof(path), "/%d", (int)i);
		feed_file(model, START_NS, 1 + i, S_IFREG, path);
	}
	for (uint64_t i = 0; i < tasks * files; i++) {
		feed_use(model, START_NS, (1 + i % tasks) << 32, 1 + i / tasks, IO_READ, 1);
		worst = feed__memory(model) > worst ? feed__memory(model) : worst;
	}
	ok(worst < limit, "%d MB for a limit of %d MB", (int)(worst >> 20), (int)(limit >> 20));
	feed__finish(model, (int64_t)LEN_NS);
	sums = sum_model(model);
	ok(sums.cnt == tasks * files && is_whole(model), "no operation is lost");
	ok(model__uses(model, 0, NO_IDX, &cnt) && cnt == 1 &&
		   counter_val(model, "uses_folded") == model__uses(model, 0, NO_IDX, &cnt)->cnt,
	   "those that there was no row for are nobody's, and counted");
	model__free(model);
}

/* Sockets that are over are forgotten, once all uses before were told. */
static void test_forget(void)
{
	struct model *model = io_start(0);
	const struct link *link;
	size_t most = 0;

	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t ns = START_NS + i * MS / 10;

		feed_client(model, ns, 1 + i, 1ULL << 32, CONN_OPENED);
		feed_client(model, ns, 1 + i, 1ULL << 32, CONN_CLOSED);
		/* once a second, those of the second before last are told */
		if (i % 10000 == 0)
			feed__uses_taken(model, ns);
		if (i >= 10000)
			feed_use(model, ns, 1ULL << 32, 1 + i - 10000, IO_WRITE, 1);
		most = model->feed->io.ref_cnt > most ? model->feed->io.ref_cnt : most;
	}
	ok(most < 60000, "at most %zu of 100000 sockets are known at a time", most);
	ok(model->feed->io.ref_idx.cnt == model->feed->io.ref_cnt, "in the index, too");
	feed__finish(model, (int64_t)LEN_NS);
	link = link_of(model, 1ULL << 32, "10.0.0.7:80");
	ok(link && link->opened == 100000 && link->closed == 100000 && !link->active,
	   "each counted");
	ok(use_of(model, 1ULL << 32, "10.0.0.7:80", IO_WRITE)->cnt == 90000 && model->use_cnt == 1,
	   "and no use missed its socket");
	model__free(model);
}

/* What has no end of its own fills no table for good: later connections are known. */
static void test_attempts(void)
{
	struct model *model = io_start(256 << 20);
	const struct link *link;
	uint64_t ns = START_NS;

	for (uint64_t i = 0; i < 160000; i++, ns += 10 * MS) {
		feed_client(model, ns, 1 + i, 1ULL << 32, CONN_FAILED);
		if (i % 50 == 0)
			feed__uses_taken(model, ns);
	}
	ok(model->feed->io.ref_cnt < 10000, "%zu of 160000 attempts to connect are known at last",
	   model->feed->io.ref_cnt);
	for (uint64_t i = 0; i < 100; i++)
		feed_client(model, ns + i, 200000 + i, 1ULL << 32, CONN_OPENED);
	feed__finish(model, (int64_t)(ns - START_NS + MS));
	link = link_of(model, 1ULL << 32, "10.0.0.7:80");
	ok(link && link->failed == 160000 && link->opened == 100 && link->active == 100 &&
		   model->meta.connections_max == 100,
	   "each counted, and those that come after are active");
	model__free(model);
}

/* Files and datagram sockets that are not used any more make room, and have their names when they are
 * used again. */
static void test_idle(void)
{
	const uint64_t cnt = 60000, task = 1ULL << 32, limit = 16 << 20;
	struct model *model = io_start(limit);
	uint64_t worst = 0, ns = START_NS;
	const struct link *link;
	char path[32];

	for (uint64_t i = 0; i < 100; i++)
		feed_client(model, ns + i, 1 + i, task, CONN_OPENED);
	for (uint64_t i = 0; i < cnt; i++, ns += MS) {
		snprintf(path, sizeof(path), "/%d", (int)(i % 10));
		feed_file(model, ns, 1000 + i, S_IFREG, path);
		feed_use(model, ns, task, 1000 + i, IO_WRITE, 1);
		/* one of the very first, time and again; and once one of some time ago */
		feed_use(model, ns, task, 1000 + i % 5, IO_READ, 1);
		if (i >= 2500)
			feed_use(model, ns, task, 1000 + i - 2500, IO_SYNC, 1);
		make_conn(ns, 1000000 + i / 4, task, CONN_SEEN)->role = ROLE_DATAGRAM;
		set_ends(&io_event.conn, 1, 40000, 9, 53);
		io_event.conn.protocol = IPPROTO_UDP;
		feed_now(model);
		if (i % 500 == 0)
			feed__uses_taken(model, ns);
		worst = feed__memory(model) > worst ? feed__memory(model) : worst;
	}
	/* known as idle, and its owner told again */
	make_conn(ns, 1000000 + (cnt - 2500) / 4, task, CONN_SEEN)->role = ROLE_DATAGRAM;
	set_ends(&io_event.conn, 1, 40000, 9, 53);
	io_event.conn.protocol = IPPROTO_UDP;
	feed_now(model);
	ok(model->feed->io.idle[0].cnt + model->feed->io.idle[1].cnt > 1000, "some were put aside");
	ok(worst < limit, "%d KB for a limit of %d KB", (int)(worst >> 10), (int)(limit >> 10));
	for (uint64_t i = 0; i < 50; i++)
		feed_client(model, ns + i, 1 + i, task, CONN_CLOSED);
	feed__finish(model, (int64_t)(ns - START_NS + MS));
	ok(use_of(model, task, "/3", IO_WRITE)->cnt == cnt / 10 &&
		   use_of(model, task, "/3", IO_READ)->cnt == cnt / 5 &&
		   use_of(model, task, "/3", IO_SYNC)->cnt == (cnt - 2500) / 10,
	   "each use has its name");
	ok(!counter_val(model, "objects_folded") && !counter_val(model, "objects_unknown"),
	   "there was room for all");
	link = link_of(model, task, "10.0.0.9:53");
	ok(link && link->met == cnt / 4, "a socket was met once (%d)", link ? (int)link->met : 0);
	link = link_of(model, task, "10.0.0.7:80");
	ok(link && link->active == 50 && link->closed == 50, "connections stay what they are");
	model__free(model);
}

/* A connection ends in the row that it began in, though meanwhile there is room for its own. */
static void test_row_of_active(void)
{
	struct model *model = io_start(1 << 20);
	size_t below = 0;

	for (uint64_t i = 0; !io__is_tight(model); i++)
		feed_use(model, START_NS, (10 + i) << 32, 0, IO_READ, 1);
	feed_client(model, START_NS, 1, 1ULL << 32, CONN_OPENED);
	feed_client(model, START_NS + 5000 * MS, 2, 1ULL << 32, CONN_FAILED);
	model->feed->options.max_memory = 0; /* as when tasks were folded */
	feed_client(model, START_NS + 9000 * MS, 1, 1ULL << 32, CONN_CLOSED);
	feed__finish(model, (int64_t)LEN_NS);
	for (size_t i = 0; i < model->link_cnt; i++)
		below += model->links[i].active != 0;
	ok(!below && model->link_cnt >= 2, "no row has less than no connection");
	model__free(model);
}

/* Series */

static void test_series(void)
{
	struct model *model = io_start(0);
	const size_t cnt = 500000;
	size_t by_series[SERIES_CNT] = {}, unsorted = 0, most = 0;
	int64_t max = 0;
	double sum = 0, want = 0;

	for (size_t i = 0; i < cnt; i++) {
		int64_t val = (int64_t)(i * 7919 % 1000) + (i == 77777 ? 5000 : 0);
		uint64_t ns = START_NS + i * 100 * MS;

		feed__sample(model, SERIES_CONNECTIONS, ns, val);
		feed__sample(model, SERIES_IO_QUEUE, ns, val * 1000);
		if (i < 1000)
			feed__sample(model, SERIES_DISK_IN_FLIGHT, ns - (i % 7) * 300 * MS,
				     (int64_t)i);
		want += (double)val * 1000 / (double)cnt;
		most = model->sample_cnt > most ? model->sample_cnt : most;
	}
	ok(feed__sample(model, SERIES_CNT, START_NS, 1) != 0, "a series that does not exist");
	feed__finish(model, (int64_t)LEN_NS);
	for (size_t i = 0; i < model->sample_cnt; i++) {
		const struct sample *sample = &model->samples[i], *before = i ? sample - 1 : sample;

		by_series[sample->series]++;
		if (sample->series == before->series)
			unsorted += sample->at_ns < before->at_ns;
		else
			unsorted += sample->series < before->series;
		if (sample->series == SERIES_CONNECTIONS && sample->val > max)
			max = sample->val;
		if (sample->series == SERIES_IO_QUEUE && i && before->series == sample->series)
			sum += (double)sample->val * (double)(sample->at_ns - before->at_ns) / 1e8 /
			       (double)cnt;
	}
	ok(by_series[SERIES_CONNECTIONS] > 15000 && by_series[SERIES_CONNECTIONS] <= 36000 &&
		   by_series[SERIES_IO_QUEUE] <= 36000 && most <= 73001,
	   "%zu values are left of %zu", by_series[SERIES_CONNECTIONS], cnt);
	ok(by_series[SERIES_DISK_IN_FLIGHT] == 1000, "a short series stays as it is");
	ok(!unsorted, "sorted by series and time");
	ok(max == 5000 + 77777LL * 7919 % 1000, "the peak stays");
	ok(sum > want * 0.999 && sum < want * 1.001, "the mean by time stays: %.0f for %.0f", sum,
	   want);
	ok(counter_val(model, "samples_merged") ==
			   2 * cnt - by_series[SERIES_CONNECTIONS] - by_series[SERIES_IO_QUEUE] &&
		   model__losses(model) == 0,
	   "what was merged is counted, as no loss");
	model__free(model);

	model = io_start(4 << 20);
	for (size_t i = 0; i < 100000; i++)
		for (unsigned int k = 0; k < SERIES_CNT; k++)
			feed__sample(model, k, i % 2 ? 0 : UINT64_MAX / 2, INT64_MIN + (int64_t)i);
	ok(feed__memory(model) < 300 << 10, "little memory, and times that make no sense: %d KB",
	   (int)(feed__memory(model) >> 10));
	model__free(model);
}

int main(void)
{
	for (unsigned int i = 1; i <= 3; i++)
		test_orders(i);
	test_fold();
	test_late_uses();
	test_late(true);
	test_late(false);
	test_hostile(false);
	test_hostile(true);
	test_uses_limit();
	test_forget();
	test_attempts();
	test_idle();
	test_row_of_active();
	test_series();
	return tap_done();
}
