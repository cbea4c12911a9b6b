// A visitor of app.mjs with the client that web pages use. Arguments: URL, transport. Prints what it was told.
import { io } from "socket.io-client";

const [url, transport] = process.argv.slice(2);
const options = { transports: [transport], forceNew: true, reconnection: false };
const login = { method: "POST", headers: { "content-type": "application/json" }, body: '{"name": "eve", "password": "pw-eve"}' };
const { token } = await (await fetch(`${url}/login`, login)).json();
const refused = await new Promise((told) => {
  const stranger = io(url, { ...options, auth: { token: "no" } });
  stranger.on("connect_error", (error) => { stranger.close(); told(error.message); });
});
const socket = io(url, { ...options, auth: { token } });
await new Promise((done) => socket.on("connect", done));
const entered = await socket.emitWithAck("enter", "r1");
const message = { room: "r1", id: `id-${transport}`, text: "ä", raw: Buffer.from([1, 2]) };
const said = await socket.emitWithAck("say", message);
console.log(JSON.stringify([refused, socket.io.engine.transport.name, entered, said]));
process.exit(0);
