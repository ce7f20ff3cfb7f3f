/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overview's tiles of IO and network: how much, how fast, how it failed. Sums are those of the
 * slice counters, which are exact even where the table of files and peers was full. Called by
 * overview.c.
 */
#include "analyze/uses.h"
#include "report/charts.h"
#include "report/flows.h"
#include "report/markup.h"
#include "report/sections.h"
#include "report/tiles.h"

static void words(struct buf *buf, int64_t cnt, const char *one, const char *many)
{
	markup__count(buf, cnt < 0 ? 0 : cnt);
	buf__printf(buf, " %s", cnt == 1 ? one : many);
}

static void bytes(struct buf *buf, int64_t val)
{
	format_bytes(buf, val < 0 ? 0 : val);
}

/* "41.2 MiB/s, " */
static void rate(struct buf *buf, const struct analysis *analysis, int64_t val)
{
	int64_t duration = analysis->totals.duration_ns;
	double per_second = duration > 0 ? val * 1e9 / duration : 0;

	if (per_second <= 0)
		return;
	format_bytes(buf, per_second < 1.8e19 ? per_second + 0.5 : 1.8e19);
	buf__puts(buf, "/s, ");
}

/* Bytes, their rate and the operations that moved them. The caller may say more, and ends it. */
static void tile_moved(struct buf *buf, const struct analysis *analysis, enum wire_counter sum,
		       enum wire_counter cnt, const char *const text[4])
{
	const int64_t *c = analysis->totals.c;

	tile__open(buf, text[0], text[1]);
	bytes(buf, c[sum]);
	tile__note(buf);
	rate(buf, analysis, c[sum]);
	words(buf, c[cnt], text[2], text[3]);
}

/* Page cache or disk? */
static void note_disk(struct buf *buf, const struct analysis *analysis, enum wire_counter counter,
		      const char *what)
{
	if (!analysis->model->caps[CAP_DISK_BYTES].measured)
		return;
	buf__puts(buf, "; ");
	bytes(buf, analysis->totals.c[counter]);
	buf__printf(buf, " %s", what);
}

/* "7 IO calls failed", in the colour of a warning; or "no IO call failed". */
static void note_failed(struct buf *buf, int64_t errors, const char *what)
{
	if (errors <= 0) {
		buf__printf(buf, "no %s failed", what);
		return;
	}
	buf__puts(buf, "<b class=\"warn\">");
	markup__count(buf, errors);
	buf__printf(buf, " %s%s failed</b>", what, errors == 1 ? "" : "s");
}

static void tile_latency(struct buf *buf, const struct analysis *analysis)
{
	const struct model *model = analysis->model;
	struct hist hist = {0};
	int64_t p99;

	for (size_t i = 0; i < model->use_cnt; i++)
		if (use_fits(model, &model->uses[i], &storage_calls))
			hist__merge(&hist, &model->uses[i].latency);
	p99 = known_percentile(&hist, 0.99);
	tile__open(buf, "File latency",
		   "mean of the reads, writes and syncs of files on storage; those of pipes and"
		   " terminals wait for somebody and are left out");
	if (!hist.cnt) {
		buf__puts(buf, "none");
		tile__note(buf);
		buf__puts(buf, "no file on storage was used; ");
	} else {
		format_ns(buf, flow__mean(&hist));
		tile__note(buf);
		if (p99 != COLUMN_NULL) {
			buf__puts(buf, "p99 ");
			format_ns(buf, p99);
			buf__puts(buf, ", ");
		}
		buf__puts(buf, "longest ");
		format_ns(buf, hist_part(&hist, HIST_MAX));
		buf__puts(buf, ", n ");
		markup__count(buf, hist.cnt);
		buf__puts(buf, "; ");
	}
	note_failed(buf, analysis->totals.c[COUNTER_IO_ERRORS], "IO call");
	tile__end(buf);
	hist__free(&hist);
}

void tiles_io(struct buf *buf, const struct analysis *analysis)
{
	tile__unmeasured(buf, analysis->model, CAP_IO, "IO");
	if (!analysis->model->caps[CAP_IO].measured)
		return;
	tile_moved(buf, analysis, COUNTER_IO_READ_BYTES, COUNTER_IO_READS,
		   (const char *const[]){"IO read", "files, pipes and all else that is no socket",
					 "read", "reads"});
	note_disk(buf, analysis, COUNTER_DISK_READ_BYTES, "from storage");
	tile__end(buf);
	tile_moved(buf, analysis, COUNTER_IO_WRITE_BYTES, COUNTER_IO_WRITES,
		   (const char *const[]){"IO written",
					 "files, pipes and all else that is no socket", "write",
					 "writes"});
	note_disk(buf, analysis, COUNTER_DISK_WRITE_BYTES, "for storage");
	tile__end(buf);
	tile_latency(buf, analysis);
}

static void tile_connections(struct buf *buf, const struct model *model)
{
	struct series_stats stats = series__stats(model, SERIES_CONNECTIONS);
	struct link_sums sums = {0};

	link_sums__add(&sums, model, model->links, model->link_cnt);
	tile__open(buf, "Connections", "open when the recording ended");
	markup__count(buf, sums.active < 0 ? 0 : sums.active);
	chart__spark(buf, model, SERIES_CONNECTIONS);
	tile__note(buf);
	if (stats.cnt && stats.highest->val >= 0) {
		buf__puts(buf, "at most ");
		markup__count(buf, stats.highest->val);
		buf__puts(buf, ", ");
	}
	markup__count(buf, sums.opened);
	buf__puts(buf, " opened, ");
	note_failed(buf, sat_i64(sums.failed), "connect");
	tile__end(buf);
}

static void tile_trouble(struct buf *buf, const struct analysis *analysis)
{
	const int64_t *c = analysis->totals.c;
	int64_t again = c[COUNTER_NET_RETRANSMITS], sent = c[COUNTER_NET_PACKETS_SENT];

	tile__open(buf, "Retransmissions", "TCP segments that had to be sent again");
	markup__count(buf, again < 0 ? 0 : again);
	tile__note(buf);
	if (sent > 0 && again > 0) {
		markup__percent(buf, (double)again / sent);
		buf__puts(buf, " of ");
	} else {
		buf__puts(buf, "of ");
	}
	words(buf, sent, "packet sent", "packets sent");
	buf__puts(buf, "; ");
	note_failed(buf, c[COUNTER_NET_ERRORS], "socket call");
	tile__end(buf);
}

void tiles_network(struct buf *buf, const struct analysis *analysis)
{
	tile__unmeasured(buf, analysis->model, CAP_NETWORK, "Network traffic");
	if (!analysis->model->caps[CAP_NETWORK].measured)
		return;
	tile_moved(buf, analysis, COUNTER_NET_RECEIVED_BYTES, COUNTER_NET_RECEIVES,
		   (const char *const[]){"Received", "on sockets of every kind", "receive",
					 "receives"});
	buf__puts(buf, ", ");
	words(buf, analysis->totals.c[COUNTER_NET_PACKETS_RECEIVED], "packet", "packets");
	tile__end(buf);
	tile_moved(buf, analysis, COUNTER_NET_SENT_BYTES, COUNTER_NET_SENDS,
		   (const char *const[]){"Sent", "on sockets of every kind", "send", "sends"});
	buf__puts(buf, ", ");
	words(buf, analysis->totals.c[COUNTER_NET_PACKETS_SENT], "packet", "packets");
	tile__end(buf);
	tile_connections(buf, analysis->model);
	tile_trouble(buf, analysis);
}
