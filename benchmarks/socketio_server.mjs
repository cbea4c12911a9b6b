// The server of the Socket.IO benchmark: what one member says goes to all, what it asks is answered, and what it
// sends is sent back to it. Arguments: folder of node_modules, port.
import { createRequire } from "node:module";
import { createServer } from "node:http";

const require = createRequire(process.argv[2] + "/");
const { Server } = require("socket.io");
const http = createServer();
const io = new Server(http);
io.on("connection", (socket) => {
  socket.on("say", (message) => io.emit("said", message));
  socket.on("ask", (message, answer) => answer({ id: message.id }));
  socket.on("send", (message) => socket.emit("sent", message));
});
http.listen({ port: Number(process.argv[3]), host: "127.0.0.1", backlog: 4096 });
