// The same vectors as for the Python follower: docs/shards-vectors.json.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { BSON } from 'mongodb';

import { ClubFencedError, ShardMap, WriteGate, clubHash, clubText } from '../src/index.js';

const vectors = JSON.parse(readFileSync(new URL('../../../docs/shards-vectors.json', import.meta.url)));

test('ids', () => {
  for (const { bson, text, hash } of vectors.ids) {
    const { id } = BSON.deserialize(Buffer.from(bson, 'base64'), { promoteBuffers: false });
    assert.equal(clubText(id), text);
    if (text !== null) assert.equal(clubHash(text), hash);
  }
});

test('maps', () => {
  for (const { map, lookups } of vectors.maps) {
    const found = new ShardMap(map);
    for (const { club, slot, shard, fence } of lookups) {
      assert.deepEqual([found.slotOf(club), found.shardOf(club)], [slot, shard]);
      assert.equal(found.fenceOf(club)?.move ?? null, fence);
    }
  }
});

const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

for (const { name, steps } of vectors.gate) {
  test(`gate: ${name}`, async () => {
    let now = 1000;
    const gate = new WriteGate(() => now);
    const writes = new Map();
    let draining = null;
    for (const step of steps) {
      if (step.do === 'time') {
        now += step.s;
        gate.notify();
      } else if (step.do === 'renew') gate.renewedAt = now;
      else if (step.do === 'apply') gate.apply(new ShardMap(step.map));
      else if (step.do === 'begin') {
        const write = { outcome: 'waits' };
        const ended = new Promise((resolve) => (write.end = resolve));
        write.done = gate
          .writing(step.club, (shard) => {
            write.outcome = shard;
            return ended;
          })
          .catch((problem) => {
            assert.ok(problem instanceof ClubFencedError);
            write.outcome = 'refused';
          });
        writes.set(step.write, write);
      } else if (step.do === 'end') {
        writes.get(step.write).end();
        await writes.get(step.write).done;
      } else if (step.do === 'drain') {
        draining = { epoch: null };
        const asked = draining;
        gate.drained().then((epoch) => (asked.epoch = epoch));
      }
      await settle();
      for (const [write, outcome] of Object.entries(step.writes ?? {})) {
        assert.equal(writes.get(write).outcome, outcome, `${name}: ${JSON.stringify(step)}`);
      }
      if ('drained' in step) assert.equal(draining.epoch, step.drained, `${name}: ${JSON.stringify(step)}`);
      if ('overrun' in step) assert.deepEqual(gate.overrun().map((fence) => fence.move), step.overrun);
    }
    for (const write of writes.values()) write.end();
  });
}
