// Keeps a process's map in step with the control store: told by a subscription at once, by polling when that fails.

import { LEASE_S, WriteGate } from './gate.js';
import { ShardMap } from './map.js';

export const MAP_COLLECTION = 'shard_map';
export const MAP_ID = 'map';
export const ROUTERS = 'routers';
export const CHANNEL = 'dbz:shards';
const RENEW_S = 1;
const NOWHERE = -1;
const MAJORITY = { writeConcern: { w: 'majority', j: true } };

export class MapFollower {
  /**
   * @param {import('mongodb').Db} control the control database: that of the clubs, with `_control` behind its name
   * @param {object} options
   * @param {ShardMap} options.unadopted the map until the deployment is adopted, see legacyMap
   * @param {string} options.name this process's own name among all
   * @param {number} [options.pollS]
   * @param {(wake: () => void) => Promise<() => Promise<void>>} [options.subscribe] calls `wake` for each message on the
   *   Redis channel CHANNEL, and gives what ends that; without it the map is polled
   * @param {(problem: Error) => void} [options.warn]
   */
  constructor(control, { unadopted, name, pollS = 0.2, subscribe, warn = () => {} }) {
    this.gate = new WriteGate();
    this._control = control;
    this._unadopted = unadopted;
    this._name = name;
    this._pollS = pollS;
    this._subscribe = subscribe;
    this._warn = warn;
    this._reported = -1;
    this._ending = false;
    this._wake = () => {};
  }

  get map() {
    return this.gate.map ?? this._unadopted;
  }

  /** Begin to follow; resolves when this process may write. */
  async start() {
    this._unsubscribe = await this._subscribe?.(() => this._wake()).catch((problem) => this._warn(problem));
    this._polling = this._poll();
    while (this.gate.renewedAt === -Infinity && !this._ending) await pause(10);
  }

  /** End, and say so, so that nobody waits for this process. */
  async stop() {
    this._ending = true;
    this._wake();
    await this._polling;
    await this._unsubscribe?.();
    this.gate.renewedAt = -Infinity;
    await this._control.collection(ROUTERS).deleteOne({ _id: this._name }, MAJORITY).catch(() => {});
  }

  /** Fetch the map, follow it, and report; whether there is nothing to look at again at once. */
  async catchUp() {
    if (performance.now() / 1000 - this.gate.renewedAt > LEASE_S / 2) {
      // On the list before the map is read: whoever fences a club after that waits for this process.
      await this._writeEntry(NOWHERE);
    }
    const document = await this._control.collection(MAP_COLLECTION).findOne({ _id: MAP_ID });
    const found = document ? new ShardMap(document) : this._unadopted;
    const known = this.gate.map;
    if (known === null || found.epoch !== known.epoch || found.deployment !== known.deployment) this.gate.apply(found);
    for (const fence of this.gate.overrun()) await this._lift(found, fence.move);
    return this._report();
  }

  async _report() {
    const fenced = this.gate.map.fences.length > 0;
    const epoch = (await this.gate.drained(fenced ? this._pollS : Infinity)) ?? this._reported;
    const isDrained = epoch === this.gate.map.epoch;
    const begin = performance.now() / 1000;
    if (epoch === this._reported && begin - this.gate.renewedAt < RENEW_S) return isDrained;
    await this._writeEntry(epoch);
    // From before the request: the store's own time of it is later, so this process gives up sooner than others it.
    this.gate.renewedAt = begin;
    this._reported = epoch;
    return isDrained;
  }

  async _writeEntry(epoch) {
    const change = { $set: { epoch }, $currentDate: { seen: true } };
    await this._control.collection(ROUTERS).updateOne({ _id: this._name }, change, { upsert: true, ...MAJORITY });
  }

  /** Take away a fence whose owner is gone; its flip cannot happen any more, for the epoch rises. */
  async _lift(seen, move) {
    const following = seen.withoutFencesOf(move);
    const wanted = { _id: MAP_ID, deployment: seen.deployment, epoch: seen.epoch };
    const done = await this._control.collection(MAP_COLLECTION).replaceOne(wanted, following, MAJORITY);
    if (done.matchedCount) this.gate.apply(new ShardMap(following));
  }

  async _poll() {
    while (!this._ending) {
      let woken = false;
      let isDrained = true;
      const waking = new Promise((resolve) => {
        this._wake = () => {
          woken = true;
          resolve();
        };
      });
      try {
        isDrained = await this.catchUp();
      } catch (problem) {
        this._warn(problem);
      }
      // Not drained: somebody holds writes and waits for this process, and the wait for the drain was a pause.
      if (isDrained && !woken && !this._ending) await Promise.race([waking, pause(this._pollS * 1000)]);
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
