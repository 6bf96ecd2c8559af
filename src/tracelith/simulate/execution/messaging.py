"""Messages: sending, what consumer groups do with them and when, and answers that somebody waits for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate import instrumentation
from tracelith.simulate.execution.ledger import Place
from tracelith.simulate.execution.spans import Ints, OpenSpans
from tracelith.simulate.execution.walk import Progress, Walk, give_up, handle, own_time, wait_for_slowest
from tracelith.simulate.execution.world import FAILED, FINE
from tracelith.simulate.flow import Consumer, Publish
from tracelith.simulate.instrumentation import TIMED_OUT
from tracelith.simulate.latency import Micros
from tracelith.simulate.topology import Topic

__all__ = ["publish"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Messages whose answers somebody waits for."""

    step: Publish
    reply: Topic
    within: OpenSpans
    messages: OpenSpans
    sent_us: Micros


def publish(walk: Walk, step: Publish, within: OpenSpans, at_us: Micros) -> Progress:
    """A message is sent; its consumers process it, waited for or not."""
    messages = walk.inside(within)
    sent_us = at_us + step.time.draw_us(walk.rng, at_us.size)
    fine = np.full(at_us.size, FINE)
    partition = messages.number % step.topic.partitions
    shape = walk.shape((id(step), within.owner.name), partial(instrumentation.producer_shape, within.owner, step))
    walk.recorder.emit(shape, messages, at_us, sent_us, fine, partition=partition)
    walk.spend(_through(within, step.topic), within, at_us, sent_us)
    consumers = [consumer for consumer in walk.world.system.consumers if consumer.topic == step.topic]
    if step.awaits_reply and step.reply is not None:
        asked = _Asked(step, step.reply, within, messages, sent_us)
        branches = tuple(partial(_answer, walk, asked, consumer) for consumer in consumers)
        end_us, status = wait_for_slowest(walk, within, sent_us, branches)
        return end_us, np.where(status == TIMED_OUT, 504, status)
    for consumer, rows in _taken_by(consumers, partition):
        _consume(walk, consumer, replace(messages, awaited=False).take(rows), sent_us[rows])
    return sent_us, fine


def _taken_by(consumers: list[Consumer], partition: Ints) -> Iterator[tuple[Consumer, NDArray[np.intp]]]:
    """Who takes which messages: every group takes all, and services in one group share the partitions out."""
    for consumer in consumers:
        members = [other for other in consumers if other.group == consumer.group]
        rows = np.flatnonzero(partition % len(members) == members.index(consumer))
        if rows.size:
            yield consumer, rows


def _consume(
    walk: Walk, consumer: Consumer, messages: OpenSpans, sent_us: Micros, reply: Publish | None = None
) -> tuple[Progress, OpenSpans]:
    """A group processes messages, and answers them if asked to.

    Returns:
        When the answer (or the processing) is over, its status, and the spans of the answers (or of the processing).
    """
    ready_us = sent_us + consumer.delay.draw_us(walk.rng, sent_us.size)
    taken_us = walk.world.taken_us(consumer, walk.rng, ready_us)
    slow_us = _slow_message(walk, consumer, ready_us, taken_us)
    walk.spend(_through(messages, consumer.topic), messages, sent_us, taken_us)
    above = walk.new_traces(messages) if consumer.own_trace else messages
    handled = walk.accept(consumer.service, replace(above, over_queue=True), taken_us)
    begun_us = taken_us if slow_us is None else own_time(walk, handled, taken_us, slow_us)
    end_us, status = handle(walk, consumer.steps, handled, begun_us)
    replies, replied_us = handled, end_us
    if reply is not None and reply.reply is not None:
        replies = walk.inside(handled)
        replied_us = end_us + reply.time.draw_us(walk.rng, end_us.size)
        make = partial(instrumentation.reply_shape, consumer.service, reply.reply)
        shape = walk.shape((id(consumer), id(reply)), make)
        partition = replies.number % reply.reply.partitions
        walk.recorder.emit(shape, replies, end_us, replied_us, np.full(end_us.size, FINE), partition=partition)
        walk.spend(_through(handled, reply.reply), handled, end_us, replied_us)
    partition = messages.number % consumer.topic.partitions
    link = messages if consumer.own_trace else None
    shape = walk.shape((id(consumer),), partial(instrumentation.consumer_shape, consumer))
    walk.recorder.emit(shape, handled, taken_us, replied_us, status, partition=partition, link=link)
    return (replied_us, status), replies


def _answer(walk: Walk, asked: _Asked, consumer: Consumer) -> Progress:
    """One consumer's answer comes back, or is given up."""
    since = walk.ledger.mark() if walk.ledger is not None else (0, 0)
    within, reply = asked.within, asked.reply
    (replied_us, status), replies = _consume(walk, consumer, asked.messages, asked.sent_us, asked.step)
    end_us = replied_us + consumer.delay.draw_us(walk.rng, replied_us.size)
    walk.spend(_through(within, reply), within, replied_us, end_us)
    status = np.where(status >= 400, FAILED, status)
    received = np.full(end_us.size, FINE)
    if asked.step.timeout_ms is not None:
        end_us, late = give_up(walk, within, since, end_us, asked.sent_us + round(asked.step.timeout_ms * 1_000))
        received[late] = status[late] = TIMED_OUT
    make = partial(instrumentation.receive_shape, within.owner, reply)
    shape = walk.shape((id(asked.step), within.owner.name, "receive"), make)
    partition = asked.messages.number % reply.partitions
    waits = walk.inside(within)
    walk.recorder.emit(shape, waits, asked.sent_us, end_us, received, partition=partition, link=replies)
    return end_us, status


def _slow_message(walk: Walk, consumer: Consumer, ready_us: Micros, taken_us: Micros) -> Micros | None:
    """How much longer the messages take that bring a stall of the group about; they are taken as it begins.

    It is the message that is ready closest to the beginning, among those of the slice in whose time that is; so every
    stall has one at most, and all slices agree.
    """
    slow_us = None
    for number, stall in enumerate(walk.world.stalls):
        about = stall.incident
        if not about.handler_s or about.topic != consumer.topic or about.group != consumer.group:
            continue
        for start_us in stall.starts_us[(stall.starts_us >= walk.from_us) & (stall.starts_us < walk.until_us)]:
            distance_us = np.abs(ready_us - start_us)
            row = int(np.argmin(distance_us)) if distance_us.size else -1
            key = (number, int(start_us))
            if row < 0 or distance_us[row] > stall.length_us or key in walk.slow_messages:
                continue
            walk.slow_messages.add(key)
            slow_us = np.zeros(ready_us.size, np.int64) if slow_us is None else slow_us
            slow_us[row] = round(about.handler_s * 1e6)
            taken_us[row] = max(int(ready_us[row]), int(start_us))
    return slow_us


def _through(within: OpenSpans, topic: Topic) -> Callable[[], Place]:
    return lambda: Place("destination", within.owner.name, f"{topic.system} {topic.destination}")
