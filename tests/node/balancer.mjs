// Two servers behind a balancer that holds on to them by a cookie: without it a request goes to the other one in turn.
// Argument: port.
import { createServer, request } from "node:http";
import net from "node:net";
import { Server } from "socket.io";

const host = "127.0.0.1";
const ports = [];
for (let i = 0; i < 2; i++) {
  const http = createServer();
  const io = new Server(http);
  io.on("connection", (socket) => {
    socket.on("echo", (...given) => given.pop()(...given));
    socket.on("transport", (ack) => ack(socket.conn.transport.name));
    socket.on("cookie", (ack) => ack(socket.handshake.headers.cookie ?? null));
  });
  http.listen(0, host, () => ports.push(http.address().port));
}
let turn = 0;
const pick = (req) => Number(/lb=(\d)/.exec(req.headers.cookie ?? "")?.[1] ?? turn++ % 2);
const balancer = createServer((req, res) => {
  const index = pick(req);
  const { url: path, method, headers } = req;
  const up = request({ port: ports[index], host, path, method, headers }, (answer) => {
    res.writeHead(answer.statusCode, { ...answer.headers, "set-cookie": `lb=${index}; Path=/` });
    answer.pipe(res);
  });
  req.pipe(up);
  up.on("error", () => res.destroy());
});
balancer.on("upgrade", (req, client, head) => {
  const server = net.connect(ports[pick(req)], host, () => {
    const lines = Object.entries(req.headers).map(([name, value]) => `${name}: ${value}`);
    server.write([`${req.method} ${req.url} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
    server.write(head);
    server.pipe(client).pipe(server);
  });
  server.on("error", () => client.destroy());
  client.on("error", () => server.destroy());
});
balancer.listen(Number(process.argv[2]), host);
