/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quantities over time, bounded: when a series has become too long, neighbours are merged, and from
 * then on values come no closer than that. Called by cmd/record at each tick of its clock.
 */
#include <errno.h>

#include "base/array.h"
#include "model/feed_state.h"

#define MAX_SAMPLES 36000 /* an hour of ticks */
#define MIN_SAMPLES 64

/* A value that is a mean of the time since the one before; the others are of one moment. */
static bool is_mean(unsigned int series)
{
	return series == SERIES_IO_QUEUE;
}

static size_t max_samples(const struct feed *feed)
{
	uint64_t limit = feed->options.max_memory / 32 / SERIES_CNT / sizeof(struct sample);

	if (!feed->options.max_memory || limit > MAX_SAMPLES)
		return MAX_SAMPLES;
	return limit > MIN_SAMPLES ? limit : MIN_SAMPLES;
}

/* One more value for the group that `to` stands for; it covers `span_ns`. */
static void merge(struct feed *feed, struct sample *to, const struct sample *from, int64_t span_ns)
{
	struct series_state *state = &feed->io.series[to->series];
	__int128 sum;

	feed->io.samples_merged++;
	if (!is_mean(to->series)) {
		if (from->val > to->val)
			*to = *from;
		return;
	}
	/* without any time between them they count alike */
	sum = (__int128)state->span_ns + span_ns;
	if (sum > 0)
		to->val = (int64_t)(((__int128)to->val * state->span_ns +
				     (__int128)from->val * span_ns) /
				    sum);
	else
		to->val = (int64_t)(((__int128)to->val + from->val) / 2);
	to->at_ns = from->at_ns;
	state->span_ns = sum < INT64_MAX ? (int64_t)sum : INT64_MAX;
}

/* How long a value stands for, when `before` is the one before it. */
static int64_t span(const struct sample *before, const struct sample *sample)
{
	int64_t ns = sub_ns(sample->at_ns, before->at_ns);

	return ns > 0 ? ns : 0;
}

/* Is it of the group that began at state->group_ns? Differences may be beyond the signed range. */
static bool is_near(const struct series_state *state, const struct sample *sample)
{
	return sample->at_ns >= state->group_ns &&
	       (uint64_t)sub_ns(sample->at_ns, state->group_ns) < (uint64_t)state->gap_ns;
}

/* Halves a series. All samples are sorted by it; `first` is where it begins. */
static void thin(struct model *model, struct series_state *state, size_t first)
{
	struct sample *samples = model->samples + first;
	size_t cnt = state->cnt, to = 0;
	uint64_t range = (uint64_t)sub_ns(samples[cnt - 1].at_ns, samples[0].at_ns);
	struct sample before = samples[0];

	range = range / (cnt / 2) + 1;
	state->gap_ns = range < INT64_MAX ? (int64_t)range : INT64_MAX;
	state->group_ns = samples[0].at_ns;
	state->span_ns = span(&samples[0], &samples[1]);
	for (size_t i = 1; i < cnt; i++) {
		struct sample sample = samples[i];

		if (is_near(state, &sample)) {
			merge(model->feed, &samples[to], &sample, span(&before, &sample));
		} else {
			samples[++to] = sample;
			state->group_ns = sample.at_ns;
			state->span_ns = span(&before, &sample);
		}
		before = sample;
	}
	state->cnt = to + 1;
	for (size_t i = first + cnt; i < model->sample_cnt; i++)
		model->samples[i - (cnt - state->cnt)] = model->samples[i];
	model->sample_cnt -= cnt - state->cnt;
}

static void shrink(struct model *model, struct series_state *state)
{
	struct series_state *all = model->feed->io.series;
	size_t first = 0;

	samples__sort(model);
	while (&all[model->samples[first].series] != state)
		first++;
	thin(model, state, first);
	for (size_t i = 0; i < model->sample_cnt; i++)
		all[model->samples[i].series].last = i;
}

int feed__sample(struct model *model, enum model_series series, uint64_t mono_ns, int64_t val)
{
	struct feed *feed = model->feed;
	struct series_state *state;
	struct sample sample = {.val = val};

	if (!feed || (unsigned int)series >= SERIES_CNT)
		return -EINVAL;
	state = &feed->io.series[series];
	sample.at_ns = rel_ns(feed, mono_ns);
	sample.series = (uint8_t)series;
	if (state->cnt && state->gap_ns && is_near(state, &sample)) {
		struct sample *last = &model->samples[state->last];

		merge(feed, last, &sample, span(last, &sample));
		return 0;
	}
	if (array__reserve((void **)&model->samples, &model->sample_cap, model->sample_cnt + 1,
			   sizeof(sample)))
		return -ENOMEM;
	state->span_ns = state->cnt ? span(&model->samples[state->last], &sample) : 0;
	state->group_ns = sample.at_ns;
	state->last = model->sample_cnt;
	state->cnt++;
	model->samples[model->sample_cnt++] = sample;
	if (state->cnt >= max_samples(feed))
		shrink(model, state);
	return 0;
}
