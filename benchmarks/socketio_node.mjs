// Node's socket.io-client in the Socket.IO benchmark. Arguments: folder of node_modules, URL, members, rate, seconds.
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.argv[2] + "/");
const { io } = require("socket.io-client");
const [url, members, rate, seconds] = [process.argv[3], ...process.argv.slice(4).map(Number)];
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
const start = performance.now();
for (let i = 0; i < rate * seconds; i++) {
  await sleep(Math.max(0, start + (i * 1000) / rate - performance.now()));
  sockets[i % members].emit("say", { at: performance.now(), id: String(i), text: "Anyone for a game at seven?".repeat(6) });
}
await sleep(500);
const { user, system } = process.cpuUsage(cpu);
latencies.sort((a, b) => a - b);
const at = (share) => latencies[Math.floor(share * (latencies.length - 1))];
console.log(JSON.stringify({
  connect_s, cpu_us: (user + system) / latencies.length, p50_ms: at(0.5), p95_ms: at(0.95),
  kb_per_member: rss / 1024 / members, received: latencies.length, expected: rate * seconds * members,
}));
process.exit(0);
