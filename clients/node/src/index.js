export { clubHash, clubText, legacyHash } from './ids.js';
export { ShardMap, legacyMap } from './map.js';
export { ClubFencedError, LEASE_S, WriteGate } from './gate.js';
export { CHANNEL, MapFollower } from './follower.js';
