// The reference implementation as a test server: the same events as tests/load/socketio_server.py.
// Arguments: port, then the options of the server as JSON.
import { createServer } from "node:http";
import { Server } from "socket.io";

const [port, options] = [Number(process.argv[2]), JSON.parse(process.argv[3] ?? "{}")];
const http = createServer();
const io = new Server(http, options);

function serve(namespace, token) {
  namespace.use((socket, next) => {
    const { refuse, token: given } = socket.handshake.auth;
    next(refuse || (token && given !== token) ? new Error("not you") : undefined);
  });
  namespace.on("connection", (socket) => {
    const { auth, query, headers } = socket.handshake;
    socket.emit("welcome", auth, query.club ?? null, headers["x-team"] ?? null);
    socket.on("echo", (...given) => given.pop()(...given));
    socket.on("send_back", (...given) => socket.emit("sent_back", ...given));
    socket.on("transport", (ack) => ack(socket.conn.transport.name));
    socket.on("ask", (question) => socket.emit("question", question, (...answer) => socket.emit("answered", ...answer)));
    socket.on("to_all", (...given) => namespace.emit("for_all", ...given));
    socket.on("leave_me", () => socket.disconnect());
    socket.on("drop_me", () => socket.conn.close());
    socket.on("many", (count, ack) => {
      socket.emit("many", ...Array(count).keys());
      ack(...Array(count).keys());
    });
    socket.on("volatile_back", (given) => socket.volatile.emit("volatile_back", given));
    socket.on("later", (ms, given) => setTimeout(() => namespace.emit("for_all", given), ms));
    socket.on("cookie", (ack) => ack(socket.handshake.headers.cookie ?? null));
    socket.on("stand", (ack) => ack(socket.recovered ?? false, [...socket.rooms].length));
    socket.on("big", (size) => socket.emit("big", "x".repeat(size)));
  });
}

serve(io.of("/"), null);
serve(io.of("/admin"), "admin");
http.listen(port, "127.0.0.1");
