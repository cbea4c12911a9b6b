// Node's socket.io-client in the Socket.IO benchmark.
// Arguments: folder of node_modules, room or acks, URL, members, rate, seconds.
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.argv[2] + "/");
const { io } = require("socket.io-client");
const [work, url] = process.argv.slice(3, 5);
const [members, rate, seconds] = process.argv.slice(5).map(Number);
const text = "Anyone for a game at seven?".repeat(6);
const before = process.memoryUsage.rss();
const sockets = [];
const latencies = [];

const began = performance.now();
const connecting = [];
for (let i = 0; i < members; i++) {
  const socket = io(url, { transports: ["websocket"], forceNew: true });
  socket.on("said", (message) => latencies.push(performance.now() - message.at));
  sockets.push(socket);
  connecting.push(new Promise((resolve) => socket.once("connect", resolve)));
}
await Promise.all(connecting);
const connect_s = (performance.now() - began) / 1000;
await sleep(300);
const rss = process.memoryUsage.rss() - before;

latencies.length = 0;
const cpu = process.cpuUsage();
const expected = work === "acks" ? await ask() : await talk();
const { user, system } = process.cpuUsage(cpu);
latencies.sort((a, b) => a - b);
const at = (share) => latencies[Math.floor(share * (latencies.length - 1))];
console.log(JSON.stringify({
  connect_s, cpu_us: (user + system) / latencies.length, p50_ms: at(0.5), p95_ms: at(0.95),
  kb_per_member: rss / 1024 / members, received: latencies.length, expected,
}));
process.exit(0);

// One member after the other speaks to all; how many messages are to arrive.
async function talk() {
  const start = performance.now();
  for (let i = 0; i < rate * seconds; i++) {
    await sleep(Math.max(0, start + (i * 1000) / rate - performance.now()));
    sockets[i % members].emit("say", { at: performance.now(), id: String(i), text });
  }
  await sleep(500);
  return rate * seconds * members;
}

// All members ask one thing after the other, each when it was answered; how many they asked.
async function ask() {
  const until = performance.now() + seconds * 1000;
  let asked = 0;
  await Promise.all(sockets.map(async (socket) => {
    while (performance.now() < until) {
      const at = performance.now();
      await socket.emitWithAck("ask", { id: String(++asked), text });
      latencies.push(performance.now() - at);
    }
  }));
  return asked;
}
