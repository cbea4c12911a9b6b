// The reference client, doing what a script says. Arguments: URL, then JSON with `options` of the client, `listen` (event
// to the number of arguments that its handler takes, -1 for all), `script`, and `version` (4 or 2).
// Prints what happened as JSON; binary is {"$bytes": base64}.
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);

const [url, given] = [process.argv[2], JSON.parse(process.argv[3])];
const { io } = given.version === 2 ? { io: require("socket.io-client2") } : await import("socket.io-client");
const log = { events: [], any: [], acks: [], connects: [], errors: [] };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function packed(value) {
  if (Buffer.isBuffer(value)) return { $bytes: value.toString("base64") };
  if (value instanceof ArrayBuffer) return packed(Buffer.from(value));
  if (Array.isArray(value)) return value.map(packed);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, packed(v)]));
  return value ?? null;
}

function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked);
  if (value && typeof value === "object") {
    if ("$bytes" in value) return Buffer.from(value.$bytes, "base64");
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, unpacked(v)]));
  }
  return value;
}

async function until(reached, what) {
  for (const end = Date.now() + 8000; !reached(); await pause(5)) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
  }
}

const sockets = {};
function socketOf(namespace) {
  if (sockets[namespace]) return sockets[namespace];
  const options = { reconnectionDelay: 300, randomizationFactor: 0, forceNew: Object.keys(sockets).length === 0 };
  const manager = sockets["/"]?.io;
  const auth = { auth: { token: "admin", ...(given.options.auth ?? {}) } };
  const socket = manager ? manager.socket(namespace, auth) : io(url, { ...options, ...given.options, ...auth });
  sockets[namespace] = socket;
  socket.on("connect", () => log.connects.push([namespace, socket.recovered ?? false]));
  socket.on("connect_error", (error) => log.errors.push(error.message));
  socket.onAny?.((event) => log.any.push([namespace, event]));
  for (const [event, count] of Object.entries(given.listen)) {
    const note = (...args) => log.events.push([namespace, event, ...packed(args)]);
    if (count < 0) socket.on(event, note);
    else if (count === 0) socket.on(event, () => note());
    else if (count === 1) socket.on(event, (a) => note(a));
    else socket.on(event, (a, b) => note(a, b));
  }
  socket.on("question", (asked) => log.events.push([namespace, "question", asked]));
  return socket;
}

const steps = {
  emit: (socket, { event, args = [] }) => socket.emit(event, ...unpacked(args)),
  volatile: (socket, { event, args = [] }) => socket.volatile.emit(event, ...unpacked(args)),
  call: (socket, { event, args = [] }) =>
    new Promise((done) => socket.emit(event, ...unpacked(args), (...answer) => done(log.acks.push([event, ...packed(answer)])))),
  events: (_socket, { count }) => until(() => log.events.length >= count, `${count} events, ${JSON.stringify(log)}`),
  connects: (_socket, { count }) => until(() => log.connects.length >= count, `${count} connects`),
  errors: (_socket, { count }) => until(() => log.errors.length >= count, `${count} errors`),
  pause: (_socket, { ms }) => pause(ms),
};
try {
  for (const step of given.script) await steps[step.do](socketOf(step.in ?? "/"), step);
} catch (error) {
  log.failed = String(error);
}
process.stdout.write(JSON.stringify(log), () => process.exit(0));
