// The `ws` package as a test server with a protocol of its own: the same as tests/load/websocket_server.py.
// Arguments: port. A message is {"do": …}; anything else comes back as it was.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  port: Number(process.argv[2]),
  host: "127.0.0.1",
  perMessageDeflate: { threshold: 0 },
  autoPong: false,
  handleProtocols: (offered) => (offered.has("club.v2") ? "club.v2" : false),
});
let lastClose = null;

server.on("connection", (socket, request) => {
  const { url, headers } = request;
  socket.send(JSON.stringify({ is: "welcome", url, team: headers["x-team"] ?? null, cookie: headers.cookie ?? null, protocol: socket.protocol }));
  let answersPings = true;
  socket.on("ping", (data) => answersPings && socket.pong(data));
  socket.on("pong", (data) => socket.send(JSON.stringify({ is: "ponged", data: data.toString() })));
  socket.on("close", (code, reason) => (lastClose = [code, reason.toString()]));
  socket.on("error", () => {});
  const acts = {
    say: (message) => server.clients.forEach((one) => one.send(JSON.stringify({ is: "said", key: message.key, room: message.room }))),
    ask: (message) => setTimeout(() => socket.send(JSON.stringify({ is: "answer", to: message.id })), message.after_ms ?? 0),
    close: (message) => socket.close(message.code, message.reason),
    drop: () => socket.terminate(),
    ping_me: () => socket.ping("are you there"),
    be_silent: () => (answersPings = false),
    last_close: () => socket.send(JSON.stringify({ is: "closed", how: lastClose })),
  };
  socket.on("message", (data, binary) => {
    let message = null;
    try {
      message = binary ? null : JSON.parse(data);
    } catch {
      // a text that is no JSON
    }
    if (message?.do in acts) acts[message.do](message);
    else socket.send(data, { binary });
  });
});
