// A member of a club with the client that web pages use. Arguments: URL, then JSON with `version` (4 or 2), `token`,
// `transports`, `room`, `say` (texts, each sent when the one before is stored), `seconds` to stay at most, and `enough`
// messages, with which it leaves as soon as it is on the last of its transports.
// Prints each thing that happens as a line of JSON: [what, details].
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);

const [url, given] = [process.argv[2], JSON.parse(process.argv[3])];
const io = given.version === 2 ? require("socket.io-client2") : (await import("socket.io-client")).io;
const note = (what, details = null) => process.stdout.write(JSON.stringify([what, details]) + "\n");
const identity = given.version === 2 ? { query: { token: given.token } } : { auth: { token: given.token } };
const socket = io(url, { transports: given.transports, reconnectionDelay: 100, ...identity });
const transport = () => socket.io.engine?.transport?.name;
const call = (event, data) => new Promise((answered) => socket.emit(event, data, answered));

socket.on("disconnect", (reason) => note("disconnect", reason));
socket.on("connect_error", (error) => note("refused", error.message));
socket.on("error", (error) => note("refused", String(error.message ?? error)));
socket.on("auth:expired", () => note("expired"));
let heard = 0;
let unsaid = (given.say ?? []).length;
socket.on("message:batch", (batch) => {
  heard += batch.messages.length;
  batch.messages.forEach((message) => note("message", message.content));
});
socket.on("connect", async () => {
  note("connect", transport());
  if (!given.room) return;
  note("join", (await call("room:join", { roomId: given.room })).ok);
  for (const content of given.say ?? []) {
    note("stored", (await call("message:send", { roomId: given.room, tempId: content, content })).ok);
    unsaid -= 1;
  }
});
const end = () => {
  note("end", transport());
  process.exit(0);
};
setTimeout(end, given.seconds * 1000);
const done = () => !unsaid && heard >= (given.enough ?? Infinity) && transport() === given.transports.at(-1);
setInterval(() => done() && end(), 100);
