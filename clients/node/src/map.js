// The shard map of one epoch: slots of the hash, each with a shard, and the clubs that lie elsewhere. It never changes.

import { clubHash } from './ids.js';

export const HASH = 'legacy';
const SLOTS_ABOUT = 1024;

export class ShardMap {
  /** @param {object} document the map as the control store has it; throws for one that a newer dbz wrote */
  constructor(document) {
    if (document.hash !== HASH) throw new Error(`the map uses the hash '${document.hash}', which is not known here`);
    this.document = document;
    this.deployment = document.deployment;
    this.epoch = Number(document.epoch);
    this.shards = document.shards;
    this.slots = document.slots;
    this.clubs = new Map(document.clubs);
    const fence = ([, move, maxS]) => ({ move, maxS: Number(maxS), key: `${move}/${Number(maxS)}` });
    this.fenced = new Map(document.fenced.map((entry) => [entry[0], fence(entry)]));
    this.closed = new Map(document.closed.map((entry) => [Number(entry[0]), fence(entry)]));
  }

  /** The shard of a club, known or new; clubs are given as texts, see clubText. */
  shardOf(club) {
    return this.shards[this.clubs.get(club) ?? this.slots[this.slotOf(club)]];
  }

  slotOf(club) {
    return clubHash(club) % this.slots.length;
  }

  /** What holds the writes of a club, {move, maxS}; undefined when nothing does. */
  fenceOf(club) {
    return this.fenced.get(club) ?? (this.clubs.has(club) ? undefined : this.closed.get(this.slotOf(club)));
  }

  get fences() {
    return [...this.fenced.values(), ...this.closed.values()];
  }

  /** The document of the next epoch, without the fences of a move. */
  withoutFencesOf(move) {
    const others = (entries) => entries.filter((entry) => entry[1] !== move);
    const { _id, ...document } = this.document;
    const fences = { fenced: others(document.fenced), closed: others(document.closed) };
    return { ...document, ...fences, epoch: this.epoch + 1 };
  }
}

/** The map that says what the app's `hash % count` says, for every club: in force before a deployment is adopted. */
export function legacyMap(shards, deployment = '', epoch = 0) {
  const count = Math.ceil(SLOTS_ABOUT / shards.length) * shards.length;
  const slots = Array.from({ length: count }, (_, slot) => slot % shards.length);
  return new ShardMap({ deployment, epoch, hash: HASH, shards, slots, clubs: [], pinned: [], fenced: [], closed: [] });
}
