// Clients that write through the map in a process of their own; the outside ledger reads what they were told.
// node writer.js '{"uris": {shard: uri}, "control": shard, "database": …, "clubs": […], "shards": […], "pauseMs": 20, "mostMine": 200}'

import { MongoClient } from 'mongodb';

import { ClubFencedError, MapFollower, legacyMap } from '../src/index.js';

const options = JSON.parse(process.argv[2]);
const timeouts = { serverSelectionTimeoutMS: 2000, socketTimeoutMS: 2000, connectTimeoutMS: 2000 };
const clients = Object.fromEntries(Object.entries(options.uris).map(([shard, uri]) => [shard, new MongoClient(uri, timeouts)]));
const follower = new MapFollower(clients[options.control].db(`${options.database}_control`), {
  unadopted: legacyMap(options.shards),
  name: `node:${process.pid}`,
  pollS: 0.05,
});
let ending = false;
const say = (fields) => process.stdout.write(`${JSON.stringify(fields)}\n`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function write(club, key, value, insert) {
  let started = false;
  const begin = performance.now();
  try {
    const outcome = await follower.gate.writing(club, async (shard) => {
      started = true;
      const posts = clients[shard].db(options.database).collection('posts');
      say({ begins: key, club });
      if (insert) await posts.insertOne({ _id: key, club_id: club, v: value, text: 'x'.repeat(200) }, options.concern);
      else if (value === null) await posts.deleteOne({ _id: key }, options.concern);
      else return (await posts.updateOne({ _id: key }, { $set: { v: value } }, options.concern)).matchedCount ? 'ack' : 'none';
      return 'ack';
    });
    say({ key, value, outcome, ms: performance.now() - begin });
  } catch (problem) {
    const outcome = problem instanceof ClubFencedError ? 'refused' : 'failed';
    say({ key, value, outcome, started, why: String(problem.message).slice(0, 200), ms: performance.now() - begin });
  }
}

async function member(club) {
  const mine = [];
  for (let number = 1; !ending; number += 1) {
    const any = () => mine[Math.floor(Math.random() * mine.length)];
    if (mine.length < 20 || (mine.length < options.mostMine && Math.random() < 0.3)) {
      mine.push(`${club}/node/${number}`);
      await write(club, mine.at(-1), number, true);
    } else if (Math.random() < 0.8) await write(club, any(), number, false);
    else await write(club, mine.shift(), null, false);
    await pause(options.pauseMs);
  }
}

process.stdin.on('end', () => (ending = true)).resume();
await follower.start();
say({ ready: true });
await Promise.all(options.clubs.map(member));
await follower.stop();
await Promise.all(Object.values(clients).map((client) => client.close()));
