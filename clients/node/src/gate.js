// Where the writes of a process pass: counted club by club, and held while their club is fenced.

export const LEASE_S = 10;

export class ClubFencedError extends Error {}

const monotonic = () => performance.now() / 1000;

export class WriteGate {
  /** @param {() => number} now seconds on a clock that never goes back */
  constructor(now = monotonic) {
    this.map = null;
    this.renewedAt = -Infinity;
    this._now = now;
    this._underWay = new Map();
    this._seen = new Map();
    this._waiters = new Set();
  }

  /** Carry out a write of a club: `work(shard)` is under way until its promise settles. Rejects with ClubFencedError
   *  when the club's writes were held for all of the fence time, or while no map is known. */
  async writing(club, work) {
    const shard = this._enter(club) ?? (await this._wait(club));
    try {
      return await work(shard);
    } finally {
      const left = this._underWay.get(club) - 1;
      if (left) this._underWay.set(club, left);
      else {
        this._underWay.delete(club);
        this.notify();
      }
    }
  }

  /** Follow another map from now on. A fence's time counts from when this process first saw it. */
  apply(map) {
    this.map = map;
    const now = this._now();
    this._seen = new Map(map.fences.map((fence) => [fence.key, { fence, since: this._seen.get(fence.key)?.since ?? now }]));
    this.notify();
  }

  /** The epoch of the map once no write is under way that it forbids; null when that takes longer than `withinS`. */
  async drained(withinS = Infinity) {
    const end = performance.now() + withinS * 1000;
    for (;;) {
      const { epoch } = this.map;
      if ([...this._underWay.keys()].every((club) => !this.map.fenceOf(club))) return epoch;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return null;
      await this._change(leftMs);
    }
  }

  /** Fences that stand for longer than they may: whoever put them up is gone. */
  overrun() {
    const now = this._now();
    return [...this._seen.values()].filter(({ fence, since }) => now - since > fence.maxS).map(({ fence }) => fence);
  }

  /** Let everybody who waits look again. */
  notify() {
    const waiters = [...this._waiters];
    this._waiters.clear();
    for (const wake of waiters) wake();
  }

  _enter(club) {
    if (this.map === null || this._now() - this.renewedAt > LEASE_S || this.map.fenceOf(club)) return null;
    this._underWay.set(club, (this._underWay.get(club) ?? 0) + 1);
    return this.map.shardOf(club);
  }

  async _wait(club) {
    const fence = this.map?.fenceOf(club);
    if (!fence) throw new ClubFencedError('the shard map is not known at the moment');
    const deadline = this._seen.get(fence.key).since + fence.maxS;
    for (let left = deadline - this._now(); left > 0; left = deadline - this._now()) {
      await this._change(left * 1000);
      const shard = this._enter(club);
      if (shard !== null) return shard;
    }
    throw new ClubFencedError(`club '${club}' is being moved`);
  }

  _change(withinMs) {
    return new Promise((resolve) => {
      const timer = Number.isFinite(withinMs) ? setTimeout(done, Math.min(withinMs, 60_000)) : null;
      const waiters = this._waiters;
      function done() {
        clearTimeout(timer);
        waiters.delete(done);
        resolve();
      }
      waiters.add(done);
    });
  }
}
